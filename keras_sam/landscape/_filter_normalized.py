"""A random direction whose filters are as long as those of the weights."""

from keras import ops

from keras_sam import _filters
from keras_sam import vectors
from keras_sam._algorithm import draws


def filter_normalized(landscape, seed=0, params=None):
    """Returns a random direction, each filter as long as that of the weights.

    Of variables without filters (see `axes`) it is zero.

    Args:
        landscape: `Landscape`.
        seed: Int, at least 0.
        params: List of tensors or arrays, the weights; None for those of the
            landscape.

    Returns:
        List of tensors, shaped like the weights.

    Reference: arXiv:1712.09913, section 4; as in the authors' code, biases and
    parameters of batch normalization stay.
    """
    params = landscape.weights(params)
    noise = draws.normals(params, seed)
    kept = _filters.axes(landscape.model, landscape.variables)
    return [
        ops.zeros_like(w) if of is None else _rescaled(draw, w, of)
        for draw, w, of in zip(noise, params, kept, strict=True)
    ]


def _rescaled(draw, like, axes):
    factor = _filters.lengths(like, axes)
    factor *= vectors.reciprocal(_filters.lengths(draw, axes))
    return ops.cast(factor * vectors.wide(draw), like.dtype)
