"""Creates the variables of a model."""

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals


def build(model, data, optimizer=True):
    """Creates all variables of a compiled model, from the shapes of `data`.

    None can be created in an `Evaluator`. Keras itself builds symbolically
    before stateless train steps, on other backends. Without `optimizer` that
    one is left alone, where no symbolic call is needed.

    Raises:
        ValueError: If a layer compiles its own `call`.
    """
    layers = _keras_internals.layers(model)
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
        _keras_internals.build_symbolically(model, data)
    for layer in layers:
        if isinstance(layer.call, tf.types.experimental.PolymorphicFunction):
            raise ValueError(
                "The layers of `model` must not compile their own `call` with "
                "`tf.function`, which would keep the weights of an earlier "
                "pass; `fit` compiles all of it. Received: "
                f"{layer.name!r} (a {type(layer).__name__})"
            )
