"""The records that a train step hands on: batch, point, outcome."""

from typing import Any
from typing import NamedTuple

from keras import ops
from keras import tree


class Batch(NamedTuple):
    """What `keras.utils.unpack_x_y_sample_weight` returns."""

    x: Any
    y: Any = None
    sample_weight: Any = None

    @property
    def size(self):
        """The number of examples."""
        first = next(t for t in tree.flatten(self.x) if t is not None)
        return ops.shape(first)[0]


class Point(NamedTuple):
    """A place in the space of weights, and the model there on one batch.

    Attributes:
        params: List of tensors: a value of each of `Evaluator.params`.
        loss: Scalar tensor, the mean over the batch.
        grads: List of tensors shaped like `params`, the gradient of `loss`:
            without loss scale, zeros where there is none; dense, but where
            rows of embeddings are asked for.
        y_pred: The outputs of the model, any structure.
        state: List of tensors, the new value of each of `Evaluator.state`; the
            old one where the pass leaves a variable alone.
        overwrites: List of tensors, the new value of each of
            `Evaluator.overwritten`.
        own_loss: Scalar tensor, the loss of this replica, where `loss` is the
            mean over all replicas that climb together.
    """

    params: list
    loss: Any
    grads: list
    y_pred: Any
    state: list
    overwrites: list
    own_loss: Any = None


class Outcome(NamedTuple):
    """What one climb, or the mean over the parts of a batch, amounts to.

    Attributes:
        loss: Scalar tensor, the clean loss.
        grads: List of tensors, the gradient to descend with.
        correction: List of tensors, what the weights move by besides, over the
            learning rate; empty for most descents.
        y_pred: The clean outputs.
        state: List of tensors, the state that the clean pass leaves.
        overwrites: List of tensors, see `Point`.
        memory: `memory.Memory` of the parts.
        measured: List of what `measures.of_climb` returns, or empty.
    """

    loss: Any
    grads: list
    correction: list
    y_pred: Any
    state: list
    overwrites: list
    memory: Any
    measured: list
