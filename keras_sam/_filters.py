"""Filters: the parts of a kernel that each make one output.

The length of a filter is the natural scale of noise on it: a layer that follows
often undoes a change of scale (arXiv:1712.09913).
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_sam import _keras_internals
from keras_sam import vectors

_layers = keras.layers

_Axes = tuple[int, ...]


def axes(model: keras.Model, variables: list) -> list[_Axes | None]:
    """Returns the axes that number the filters, for each variable.

    A filter holds all entries of a kernel that share their indices along these
    axes. The axes depend on how the layer of the kernel uses it. Biases, and
    the parameters of normalization and activation layers, have no filters: for
    them the result is None. In a layer that is not of Keras, the filters of
    each variable with two axes or more lie along its last axis, and other
    variables have none.

    Args:
        model: `keras.Model`, built.
        variables: List of its Keras variables.
    """
    axes_by_id: dict[int, _Axes | None] = {}
    for layer in _keras_internals.layers(model):
        kernels = _kernels(layer)
        if kernels is None:
            continue
        for attribute, value in _keras_internals.attributes(layer):
            if isinstance(value, keras.Variable):
                layout = kernels.get(attribute)
                if attribute.startswith("lora_"):
                    layout = layout or (-1,)
                if callable(layout):
                    layout = layout(layer)
                axes_by_id[id(value)] = layout
    return [_axes(axes_by_id, variable) for variable in variables]


def _axes(axes_by_id: dict, variable: keras.Variable) -> _Axes | None:
    rank = len(variable.shape)
    # Most kernels of Keras end with the axis of outputs, too.
    default = (-1,) if rank > 1 else None
    layout = axes_by_id.get(id(variable), default)
    return layout and tuple(axis % rank for axis in layout)


def _kernels(layer: keras.layers.Layer) -> dict | None:
    """Returns the axes of the kernels of a layer, by attribute, or None."""
    for kinds, kernels in _KERNELS:
        if isinstance(layer, kinds):
            return kernels
    return None


def _of_einsum(layer: keras.layers.EinsumDense) -> _Axes:
    """Returns the axes of a kernel that its outputs share."""
    inputs, output = layer.equation.replace(" ", "").split("->")
    _, kernel = inputs.split(",")
    return tuple(i for i, axis in enumerate(kernel) if axis in output)


# For classes of layers, the axes that number the filters of each kernel, or a
# function from the layer to them. The first row with a class of the layer
# counts: the classes of transposed convolutions are also convolutions. Other
# attributes of these layers, such as biases, have no filters. The factors of
# LoRA are an exception: unless named here, theirs lie along the last axis.
_KERNELS: tuple[tuple[Any, dict[str, _Axes | Callable[[Any], _Axes]]], ...] = (
    (
        (_layers.DepthwiseConv1D, _layers.DepthwiseConv2D),
        {"kernel": (-2, -1)},
    ),
    (
        (_layers.SeparableConv1D, _layers.SeparableConv2D),
        {"depthwise_kernel": (-2, -1), "pointwise_kernel": (-1,)},
    ),
    (
        (
            _layers.Conv1DTranspose,
            _layers.Conv2DTranspose,
            _layers.Conv3DTranspose,
        ),
        {"kernel": (-2,)},
    ),
    ((_layers.Conv1D, _layers.Conv2D, _layers.Conv3D), {"kernel": (-1,)}),
    (_layers.Dense, {"kernel": (-1,)}),
    (_layers.EinsumDense, {"kernel": _of_einsum}),
    (
        _layers.Embedding,
        {
            "embeddings": (0,),
            "reverse_embeddings": (-1,),
            "lora_embeddings_a": (0,),
        },
    ),
    (
        (_layers.SimpleRNNCell, _layers.GRUCell, _layers.LSTMCell),
        {"kernel": (-1,), "recurrent_kernel": (-1,)},
    ),
    (
        (
            _layers.BatchNormalization,
            _layers.GroupNormalization,
            _layers.LayerNormalization,
            _layers.PReLU,
            _layers.RMSNormalization,
        ),
        {},
    ),
)


def noise(params: list, draws: Any, axes: list[_Axes | None]) -> list:
    """Returns normal noise with standard deviation `||w_f||` on each filter f.

    Args:
        params: List of tensors, the weights.
        draws: `draws.Draws`, what `Context.draws` returns.
        axes: List, what `axes` returns for the weights. A tensor without
            filters counts as one filter.
    """
    return [
        ops.cast(lengths(w, of or ()), w.dtype) * draws.normal(w.shape, w.dtype)
        for w, of in zip(params, axes, strict=True)
    ]


def weighed(
    noise: list, eta: float, squares: list, axes: list[_Axes | None]
) -> list:
    """Returns noise over `sqrt(1 + eta F_f)`, F_f the total of squares.

    Args:
        noise: List of tensors.
        eta: Float.
        squares: List of tensors, a running sum of squared gradients.
        axes: List, what `axes` returns. F_f is the sum over the filter. In a
            tensor without filters each weight has its own.
    """

    def total(square: Any, of: _Axes | None) -> Any:
        return square if of is None else totals(square, of)

    return [
        x * ops.rsqrt(1 + eta * total(square, of))
        for x, square, of in zip(noise, squares, axes, strict=True)
    ]


def lengths(tensor: Any, axes: _Axes) -> Any:
    """Returns the Euclidean length of each filter.

    The result has the rank of the tensor: axes within a filter have size 1.

    Args:
        tensor: Tensor.
        axes: Tuple of ints, the axes that number the filters. Without any, the
            whole tensor is one filter.
    """
    return ops.sqrt(totals(vectors.wide(tensor) ** 2, axes))


def totals(tensor: Any, axes: _Axes) -> Any:
    """Returns the sum over each filter, with arguments as of `lengths`."""
    others = [i for i in range(len(tensor.shape)) if i not in axes]
    return ops.sum(tensor, others, keepdims=True)
