"""What a Keras model is made of, for it to be a function of its weights.

`evaluator.py` is that function.
"""

from typing import Any
from typing import NamedTuple

import keras
import tensorflow as tf
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

    def take(self, indices):
        """Returns the batch of the examples of the given indices."""
        return tree.map_structure(
            lambda t: None if t is None else tf.gather(t, indices), self
        )


class Point(NamedTuple):
    """A place in the space of weights, and the model there on one batch.

    Attributes:
        params: List of tensors: a value of each of `Evaluator.params`.
        loss: Scalar tensor, the mean over the batch.
        grads: List of tensors shaped like `params`, the gradient of `loss`:
            without loss scale, zeros where there is none; dense, but where
            `tf.IndexedSlices` are asked for.
        y_pred: The outputs of the model, any structure.
        state: List of tensors, the new value of each of `Evaluator.state`; the
            old one where the pass leaves a variable alone.
        overwrites: List of tensors, the new value of each of
            `Evaluator.overwritten`.
    """

    params: list
    loss: Any
    grads: list
    y_pred: Any
    state: list
    overwrites: list


def build(model, data, optimizer=True):
    """Creates all variables of a compiled model, from the shapes of `data`.

    None can be created in an `Evaluator`. Keras itself calls `_symbolic_build`
    before stateless train steps, on other backends. Without `optimizer` that
    one is left alone, where no symbolic call is needed.

    Raises:
        ValueError: If a layer compiles its own `call`.
    """
    layers = list(model._flatten_layers())
    _, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    if (
        tf.executing_eagerly()
        and all(layer.built for layer in layers)
        and not tree.is_nested(y)
    ):
        # Some models only run eagerly, which a symbolic call is not.
        if optimizer and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    else:
        model._symbolic_build(data_batch=data)
    for layer in layers:
        if isinstance(layer.call, tf.types.experimental.PolymorphicFunction):
            raise ValueError(
                "The layers of `model` must not compile their own `call` with "
                "`tf.function`, which would keep the weights of an earlier "
                "pass; `fit` compiles all of it. Received: "
                f"{layer.name!r} (a {type(layer).__name__})"
            )


def trained(model):
    """Returns the variables that a model trains by their gradients."""
    return [
        v for v in model.trainable_variables if not v.overwrite_with_gradient
    ]


def seeds(model):
    """Returns the state variables of all seed generators of a model."""
    weights = {id(variable) for variable in model.weights}
    return unique(v for v in model.variables if id(v) not in weights)


def read(variables):
    """Returns the present values of Keras variables, a list of tensors."""
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def mask(tensor):
    """Returns the mask that Keras attached to a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor, value):
    """Attaches a mask, if it is one, as Keras does."""
    if value is not None:
        tensor._keras_mask = value


def cond(predicate, true, false):
    """Returns what one of two functions returns.

    Args:
        predicate: Bool or scalar bool tensor.
        true, false: Functions without arguments that return like structures
            of tensors.
    """
    if isinstance(predicate, bool) or tf.executing_eagerly():
        return true() if predicate else false()
    return tf.cond(predicate, true, false)


def traced(function):
    """Returns a function that is traced once, where a graph is made.

    Its arguments and results are nested structures of tensors.
    """
    if tf.executing_eagerly():
        return function
    return tf.function(function, autograph=False)


def each(function, numbers):
    """Returns what a function makes of each of some numbers, one by one.

    It returns scalars of their dtype. (Keras's `ops.map` calls the function
    once more, to learn of that.)
    """
    return tf.map_fn(function, numbers)


def outside_graphs():
    """Returns a context in which tensors have values, even while tracing."""
    return tf.init_scope()


def unique(variables):
    """Returns the variables in a list, each once."""
    return list({id(variable): variable for variable in variables}.values())
