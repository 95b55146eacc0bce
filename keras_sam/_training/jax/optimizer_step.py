"""The optimizer's step on JAX."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._backend import values


def apply(
    optimizer: keras.Optimizer,
    grads_and_variables: Iterable[tuple[Any, keras.Variable]],
) -> None:
    """Steps with gradients of all devices.

    Args:
        optimizer: Keras optimizer, built.
        grads_and_variables: Pairs of a tensor or None and a Keras variable.
    """
    grads = {id(variable): grad for grad, variable in grads_and_variables}
    trained = _keras_internals.optimized(optimizer)
    # Not `apply`: a `LossScaleOptimizer` would assign within a conditional.
    new, slots = optimizer.stateless_apply(
        values.read(optimizer.variables),
        [grads[id(variable)] for variable in trained],
        values.read(trained),
    )
    for variable, value in zip(
        [*trained, *optimizer.variables], [*new, *slots], strict=True
    ):
        variable.assign(value)
