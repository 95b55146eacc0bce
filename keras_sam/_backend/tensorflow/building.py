"""Creates the variables of a model."""

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals


def build(model, data, optimizer=True):
    """Creates all variables of a compiled model, from the shapes of `data`.

    An `Evaluator` cannot create variables. Keras itself also builds models by
    symbolic calls before stateless train steps, on other backends.

    Args:
        model: `keras.Model`, compiled.
        data: A batch.
        optimizer: Bool, whether to build the optimizer. A symbolic call, where
            one is needed, builds it in any case.

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
        # No symbolic call, which fails for models that only run eagerly.
        if optimizer and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    else:
        _keras_internals.build_symbolically(model, data)
    for layer in layers:
        if isinstance(layer.call, tf.types.experimental.PolymorphicFunction):
            raise ValueError(
                "A layer of `model` must not compile its own `call` with "
                "`tf.function`: the function would keep the weights of an "
                "earlier pass. Remove `tf.function`: `fit` compiles the whole "
                "train step. Received: "
                f"{layer.name!r} (a {type(layer).__name__})"
            )
