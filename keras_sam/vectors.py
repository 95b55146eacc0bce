"""Arithmetic on lists of tensors, each list taken as one long vector.

Such a list holds all weights of a model, or their gradients. `add`, `subtract`,
`scale`, `dot`, `norm`, `unit`, `zeros` and `all_finite` also take lists with
`tf.IndexedSlices`, the gradients of embeddings.
"""

import functools
from typing import Any

from keras import ops

from keras_sam._backend import rows

__all__ = [
    "add",
    "all_finite",
    "dot",
    "norm",
    "orthogonal",
    "reciprocal",
    "scale",
    "subtract",
    "unit",
    "wide",
    "zeros",
]

_HALF = ("float16", "bfloat16")


def add(a: list, b: list) -> list:
    """Returns `a + b`."""
    return [rows.add(x, y) for x, y in zip(a, b, strict=True)]


def subtract(a: list, b: list) -> list:
    """Returns `a - b`."""
    return [rows.subtract(x, y) for x, y in zip(a, b, strict=True)]


def scale(factor: Any, a: list) -> list:
    """Returns `factor * a`, each tensor in its own dtype.

    Args:
        factor: Python number, or scalar tensor of any float dtype.
        a: List of tensors.
    """
    # A Python number stays one: a tensor made of it would round to float32.
    if isinstance(factor, (int, float)):
        return [rows.each(lambda x: factor * x, x) for x in a]
    return [rows.each(functools.partial(_scale, factor), x) for x in a]


def _scale(factor: Any, x: Any) -> Any:
    # Not in float16, where one over the norm of a long vector is zero.
    widened = wide(x)
    return ops.cast(ops.cast(factor, widened.dtype) * widened, x.dtype)


def zeros(like: list) -> list:
    """Returns zeros, shaped like others: what a sum of gradients starts with.

    Args:
        like: List of tensors.
    """
    return [rows.zeros(x) for x in like]


def dot(a: list, b: list) -> Any:
    """Returns the inner product, a scalar tensor of at least float32."""
    pairs = [rows.aligned(x, y) for x, y in zip(a, b, strict=True)]
    products = [ops.sum(wide(x) * wide(y)) for x, y in pairs]
    return ops.sum(ops.stack(products))


def norm(a: list) -> Any:
    """Returns the Euclidean length, a scalar tensor of at least float32."""
    halves = [rows.half_squared_norm(wide(rows.aligned(x, x)[0])) for x in a]
    return ops.sqrt(2.0 * ops.sum(ops.stack(halves)))


def unit(a: list) -> list:
    """Returns `a / norm(a)`, or zeros if `norm(a)` is zero.

    In float32 the norm of a vector shorter than about 1e-19 is zero, since the
    squares of its elements are. The norm of a vector longer than 1e19
    overflows, and the result is NaN.
    """
    return scale(reciprocal(norm(a)), a)


def orthogonal(a: list, b: list) -> list:
    """Returns the part of `a` that is orthogonal to `b`, or `a` if `b` is 0."""
    along = unit(b)
    return subtract(a, scale(dot(a, along), along))


def reciprocal(x: Any) -> Any:
    """Returns `1 / x`, but 0 where x is 0, and NaN where x is not finite."""
    defined = ops.logical_and(x != 0, ops.isfinite(x))
    # x - x is 0 where x is 0, and NaN where x is infinite or NaN.
    return ops.where(defined, 1.0 / ops.where(defined, x, 1.0), x - x)


def all_finite(a: list) -> Any:
    """Returns a scalar bool tensor: whether all (float) elements are finite."""
    finite = [ops.all(ops.isfinite(rows.values(x))) for x in a]
    return functools.reduce(ops.logical_and, finite)


def wide(x: Any) -> Any:
    """Returns a tensor in a dtype that can hold its squares.

    It has its own dtype, or float32 instead of float16 and bfloat16.
    """
    # The square of a float16 number overflows above 256.
    return ops.cast(x, "float32") if x.dtype in _HALF else x
