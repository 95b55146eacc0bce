"""How variables and batches lie on several devices, on JAX."""

from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


def layout(variable: keras.Variable) -> Any:
    """Returns how a variable lies on devices, on JAX, or None.

    It is None without a distribution. It may be given to a new variable.

    Read in Keras 3.14 and 3.15: `Variable._layout`, which an optimizer gives to
    the slots of a variable. Only 3.15 has it on all backends.
    """
    return getattr(variable, "_layout", None)


def distributed(data: Any) -> Any:
    """Returns a batch on all devices of the distribution that is set, on JAX.

    Read in Keras 3.14 and 3.15: `_distribute_data` of
    `keras.src.backend.jax.trainer`.
    """
    trainer = KERAS.module("keras.src.backend.jax.trainer")
    return KERAS.private(trainer, "_distribute_data")(data)
