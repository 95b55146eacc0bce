"""Moves of the weights beside the step of the optimizer."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_sam import vectors


def apply(
    optimizer: keras.Optimizer,
    corrections: Iterable[tuple[Any, keras.Variable]],
) -> None:
    """Moves variables by minus the learning rate times tensors.

    It comes before the step of the optimizer, which averages and constrains the
    weights at its end.

    Args:
        optimizer: Keras optimizer, built.
        corrections: Pairs of a tensor and a Keras variable. The tensors must be
            the same on all replicas.
    """
    for correction, variable in corrections:
        move = vectors.scale(optimizer.learning_rate, [correction])[0]
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # After an overflow the optimizer skips the step. So does the move.
            move = ops.where(vectors.all_finite([correction]), move, 0)
        variable.assign_sub(move)


def check(optimizer: keras.Optimizer) -> None:
    """Checks that an optimizer goes with a decoupled descent.

    Raises:
        ValueError: If the optimizer accumulates gradients or holds other
            optimizers.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        check(optimizer.inner_optimizer)
        return
    steps = getattr(optimizer, "gradient_accumulation_steps", None)
    if steps:
        raise ValueError(
            "A decoupled descent moves the weights in every step, so the "
            "optimizer must not have `gradient_accumulation_steps`. Received: "
            f"gradient_accumulation_steps={steps}"
        )
    if holders(optimizer):
        raise ValueError(
            "A decoupled descent moves the weights by the learning rate, so "
            "the optimizer must have a single one, and hold no other "
            f"optimizers. Received: {type(optimizer).__name__}"
        )


def holders(optimizer: keras.Optimizer) -> tuple[str, ...]:
    """Returns the names of the attributes that hold other optimizers."""
    return tuple(
        name
        for name, value in vars(optimizer).items()
        if any(isinstance(v, keras.Optimizer) for v in listed(value))
    )


def listed(value: Any) -> Sequence[Any]:
    """Returns a list or tuple as it is, another value in a list."""
    return value if isinstance(value, (list, tuple)) else [value]
