"""How variables and batches lie on several devices, on JAX."""

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


@contextlib.contextmanager
def holding(pairs: Iterable[tuple[keras.Variable, Any]]) -> Iterator[None]:
    """Lets variables hold other values, which nothing computes with.

    The values may be arrays where a variable has tensors: a weight that
    several processes share need not fit into a device to be saved.

    Read in Keras 3.14 and 3.15: `Variable._value`.

    Args:
        pairs: Iterable over pairs of a Keras variable and a value.
    """
    before = []
    try:
        for variable, value in pairs:
            before.append((variable, KERAS.private(variable, "_value")))
            variable._value = value
        yield
    finally:
        for variable, value in before:
            variable._value = value


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
