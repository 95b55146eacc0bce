"""The records that a train step hands on: batch, point, outcome."""

from typing import Any
from typing import NamedTuple


class Batch(NamedTuple):
    """A batch, as `keras.utils.unpack_x_y_sample_weight` returns it.

    Attributes:
        x: Inputs, any structure.
        y: Targets, any structure.
        sample_weight: Weights of the examples, any structure.
        scales: List of a factor for each compiled loss, a scalar tensor or
            None for 1; or None if all factors are 1. Parts of a batch have it.
        output_gradients: Gradients with respect to the outputs of the model, in
            their structure, to take the place of those of the loss; or None.
    """

    x: Any
    y: Any = None
    sample_weight: Any = None
    scales: Any = None
    output_gradients: Any = None


class Point(NamedTuple):
    """The result of a pass: the model at some weights, on one batch.

    Attributes:
        params: List of tensors, a value for each of `Evaluator.params`.
        loss: Scalar tensor, the mean over the batch.
        grads: List of tensors shaped like `params`, the gradient of `loss`
            without the loss scale. It is zero for a variable that the loss does
            not depend on. Gradients are dense, unless the evaluator may return
            rows of embeddings.
        y_pred: The outputs of the model, any structure.
        state: List of tensors, the new value of each of `Evaluator.state`. A
            variable that the pass does not update keeps its old value.
        overwrites: List of tensors, the new value of each of
            `Evaluator.overwritten`.
        own_loss: Scalar tensor, the loss of this replica. `loss` is the mean
            over all replicas that climb together. It is None until
            `Objective.shared_point` sets it.
    """

    params: list
    loss: Any
    grads: list
    y_pred: Any
    state: list
    overwrites: list
    own_loss: Any = None


class Outcome(NamedTuple):
    """The result of a train step, or the mean over the parts of a batch.

    Attributes:
        loss: Scalar tensor, the clean loss.
        grads: List of tensors, the gradient to descend with.
        correction: List of tensors. The weights also move by minus the learning
            rate times these tensors. The list is empty for most descents.
        y_pred: The outputs of the clean pass.
        state: List of tensors, the state after the clean pass.
        overwrites: List of tensors, see `Point`.
        memory: `memory.Memory` of the parts.
        measured: List of one tensor, see `measures.of_climb`, or empty.
    """

    loss: Any
    grads: list
    correction: list
    y_pred: Any
    state: list
    overwrites: list
    memory: Any
    measured: list
