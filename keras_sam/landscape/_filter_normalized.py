"""A random direction with filters as long as the filters of the weights."""

from typing import Any

from keras import ops

from keras_sam import _filters
from keras_sam import vectors
from keras_sam._algorithm import draws
from keras_sam.landscape import _landscape
from keras_sam.landscape._landscape import Landscape


def filter_normalized(
    landscape: Landscape, seed: int = 0, params: list | None = None
) -> list:
    """Returns a random direction, each filter as long as that filter of w.

    A filter is the part of a kernel that makes one output. The direction is
    zero in variables without filters, such as biases and the parameters of
    normalization layers.

    Args:
        landscape: `Landscape`.
        seed: Int, at least 0.
        params: List of tensors or arrays, the weights w; None for
            `landscape.params`.

    Returns:
        List of tensors, shaped like the weights.

    Reference: arXiv:1712.09913, section 4; as in the authors' code, biases and
    parameters of batch normalization stay.
    """
    _landscape.check(landscape)
    params = landscape.weights(params)
    noise = draws.normals(params, seed)
    axes = _filters.axes(landscape.model, landscape.variables)
    return [
        ops.zeros_like(w) if of is None else _rescaled(draw, w, of)
        for draw, w, of in zip(noise, params, axes, strict=True)
    ]


def _rescaled(draw: Any, like: Any, axes: tuple[int, ...]) -> Any:
    factor = _filters.lengths(like, axes)
    factor *= vectors.reciprocal(_filters.lengths(draw, axes))
    return ops.cast(factor * vectors.wide(draw), like.dtype)
