"""Arithmetic on lists of tensors: all weights of a model as one vector.

`add`, `subtract`, `scale`, `dot`, `norm`, `unit` and `all_finite` also take
`tf.IndexedSlices`, the gradients of embeddings.
"""

import functools

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
]

_HALF = ("float16", "bfloat16")


def add(a, b):
    """Returns `a + b`."""
    return [rows.add(x, y) for x, y in zip(a, b, strict=True)]


def subtract(a, b):
    """Returns `a - b`."""
    return [rows.subtract(x, y) for x, y in zip(a, b, strict=True)]


def scale(factor, a):
    """Returns `factor * a`, each tensor in its own dtype.

    Args:
        factor: Python number, or scalar tensor of any float dtype.
        a: List of tensors.
    """
    # A Python number stays one: as a tensor it would be rounded to float32.
    if isinstance(factor, (int, float)):
        return [rows.each(lambda x: factor * x, x) for x in a]
    return [rows.each(functools.partial(_scale, factor), x) for x in a]


def _scale(factor, x):
    # Not in float16, in which one over the norm of a long vector is zero.
    widened = wide(x)
    return ops.cast(ops.cast(factor, widened.dtype) * widened, x.dtype)


def dot(a, b):
    """Returns the inner product, a scalar of at least float32."""
    pairs = [rows.aligned(x, y) for x, y in zip(a, b, strict=True)]
    products = [ops.sum(wide(x) * wide(y)) for x, y in pairs]
    return ops.sum(ops.stack(products))


def norm(a):
    """Returns the Euclidean length, a scalar of at least float32."""
    halves = [rows.half_squared_norm(wide(rows.aligned(x, x)[0])) for x in a]
    return ops.sqrt(2.0 * ops.sum(ops.stack(halves)))


def unit(a):
    """Returns `a / norm(a)`; zeros for a vector without length.

    In float32 the squares of a vector shorter than about 1e-19 are zero, so it
    has none; those of one longer than 1e19 overflow, which gives NaN.
    """
    return scale(reciprocal(norm(a)), a)


def orthogonal(a, b):
    """Returns the part of `a` that is orthogonal to `b`; `a` if `b` is 0."""
    along = unit(b)
    return subtract(a, scale(dot(a, along), along))


def reciprocal(x):
    """Returns `1 / x`, but 0 where x is 0, and NaN where x is infinite."""
    defined = ops.logical_and(x != 0, ops.isfinite(x))
    # x - x is 0 for 0, and NaN for what is not finite.
    return ops.where(defined, 1.0 / ops.where(defined, x, 1.0), x - x)


def all_finite(a):
    """Returns a scalar bool: whether every float element is finite."""
    finite = [ops.all(ops.isfinite(rows.values(x))) for x in a]
    return functools.reduce(ops.logical_and, finite)


def wide(x):
    """Returns a tensor whose squares have a dtype wide enough to hold them."""
    # The square of a float16 number overflows above 256.
    return ops.cast(x, "float32") if x.dtype in _HALF else x
