"""Models and layers."""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


def layers(model: keras.Model) -> list[keras.Layer]:
    """Returns a model and all layers in it, nested ones too.

    Read in Keras 3.14 and 3.15: `Layer._flatten_layers`.
    """
    return list(KERAS.private(model, "_flatten_layers")())


def attributes(layer: keras.Layer) -> Iterable[tuple[str, Any]]:
    """Returns pairs of an attribute of a layer and its value.

    An attribute that Keras hides behind a property has the public name:
    `kernel` of `Dense` is an example.

    Read in Keras 3.14 and 3.15: `Dense._kernel`, `Embedding._embeddings`.
    """
    return [(name.lstrip("_"), value) for name, value in vars(layer).items()]


def own_metrics(layer: keras.Layer) -> list[keras.Metric]:
    """Returns the metrics that a layer or model holds in its attributes.

    Read in Keras 3.14 and 3.15: `Layer._metrics`.
    """
    return KERAS.private(layer, "_metrics")


def takes_training(layer: keras.Layer) -> bool:
    """Whether `call` has an argument `training`.

    Read in Keras 3.14 and 3.15: `Layer._call_has_training_arg`.
    """
    return KERAS.private(layer, "_call_has_training_arg")


def unlock(layer: keras.Layer) -> None:
    """Lets a layer get variables that Keras has locked.

    Read in Keras 3.14 and 3.15: `Layer._tracker`.
    """
    KERAS.private(layer, "_tracker").unlock()


def supports_jit(model: keras.Model) -> bool:
    """Whether Keras would let XLA compile a model.

    It would not if a layer does not support XLA, or if TensorFlow must be
    deterministic.

    Read in Keras 3.14 and 3.15: `model_supports_jit` of
    `keras.src.trainers.trainer`.
    """
    trainer = KERAS.module("keras.src.trainers.trainer")
    return KERAS.private(trainer, "model_supports_jit")(model)


def default_build(method: Callable) -> Callable:
    """Decorates a `build` that Keras must not call in place of a symbolic call.

    Where a layer has another `build`, Keras calls that with shapes alone when
    the layer is first called. Else Keras calls the layer symbolically, if it
    can, and then `build`.

    Read in Keras 3.14 and 3.15: `keras.src.utils.python_utils.default`.
    """
    utils = KERAS.module("keras.src.utils.python_utils")
    return KERAS.private(utils, "default")(method)
