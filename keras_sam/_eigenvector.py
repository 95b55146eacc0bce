"""A running estimate of the top eigenvector of the Hessian.

Several parts keep such an estimate as their memory, `{"climbs", "v"}`. The
eigenvector is the one whose eigenvalue is the largest in magnitude.
"""

import functools
from typing import Any

import keras
from keras import ops

from keras_sam import vectors


def first(params: list, seed: int) -> dict[str, Any]:
    """Returns the first memory, with a random unit vector."""
    draws = [
        keras.random.normal(w.shape, dtype=w.dtype, seed=seed + i)
        for i, w in enumerate(params)
    ]
    return {"climbs": ops.zeros((), "int32"), "v": vectors.unit(draws)}


def renewed(
    memory: dict[str, Any],
    params: list,
    period: int,
    iterations: int,
    context: Any,
) -> dict[str, Any]:
    """Returns the memory of the next climb, with another v if it is due.

    Args:
        memory: The memory.
        params: List of tensors, where the Hessian is taken.
        period: Int, how many climbs keep one v.
        iterations: Int, the Hessian-vector products for each v.
        context: `parts.Context`.
    """
    climbs, v = memory["climbs"], memory["v"]
    due = climbs % period == 0
    for _ in range(iterations):
        # One product a conditional: `when` averages each over replicas if
        # they are synced, so several replicas iterate as one device would.
        product = context.when(due, functools.partial(_product, params, v), v)
        v = vectors.unit(product)
    # `v` and `-v` are both eigenvectors. Each replica keeps the sign of the
    # previous one, so that they do not cancel in the mean over replicas.
    sign = ops.where(vectors.dot(v, memory["v"]) < 0, -1.0, 1.0)
    return {"climbs": climbs + 1, "v": vectors.scale(sign, v)}


def of(memory: dict[str, Any]) -> list:
    """Returns the unit vector v."""
    # The memory holds the mean over replicas, which is shorter than one.
    return vectors.unit(memory["v"])


def _product(params: list, v: list, context: Any) -> list:
    """Returns the Hessian times v."""
    return context.hessian_vector_product(params, v)
