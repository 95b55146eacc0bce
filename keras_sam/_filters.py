"""Filters: the parts of a kernel that each make one output.

Their lengths set the scale of a direction through the weights, since what
follows them often undoes a change of scale (arXiv:1712.09913).
"""

import keras
from keras import ops

from keras_sam import _keras_internals
from keras_sam import vectors

_layers = keras.layers


def axes(model, variables):
    """Returns, for each variable, the axes along which its filters lie.

    A filter is all entries of one index of these axes. Kernels have them as
    their layers use them; the last axis is that of a kernel whose layer is not
    of Keras. None for what has no filters: biases, and the parameters of
    normalization and activation layers; of layers that are not of Keras,
    whatever has fewer than two axes.

    Args:
        model: `keras.Model`, built.
        variables: List of its Keras variables.
    """
    found = {}
    for layer in _keras_internals.layers(model):
        kernels = _kernels(layer)
        if kernels is None:
            continue
        for attribute, value in _keras_internals.attributes(layer):
            if isinstance(value, keras.Variable):
                chosen = kernels.get(attribute)
                if attribute.startswith("lora_"):
                    chosen = chosen or (-1,)
                if callable(chosen):
                    chosen = chosen(layer)
                found[id(value)] = chosen
    return [_axes(found, variable) for variable in variables]


def _axes(found, variable):
    rank = len(variable.shape)
    # As Keras's own kernels, which end with the axis of outputs.
    unknown = (-1,) if rank > 1 else None
    chosen = found.get(id(variable), unknown)
    return chosen and tuple(axis % rank for axis in chosen)


def _kernels(layer):
    """Returns the axes of the kernels of a layer, by attribute, or None."""
    for kinds, kernels in _KERNELS:
        if isinstance(layer, kinds):
            return kernels
    return None


def _of_einsum(layer):
    """Returns the axes of a kernel that the outputs have, too."""
    inputs, output = layer.equation.replace(" ", "").split("->")
    _, kernel = inputs.split(",")
    return tuple(i for i, axis in enumerate(kernel) if axis in output)


# The first that fits. Other attributes of these layers, such as biases, have no
# filters, but for the factors of LoRA: by default along their last axis.
_KERNELS = (
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
        ),
        {},
    ),
)


def noise(params, draws, axes):
    """Returns normal noise, of standard deviation `||w_f||` for a filter f.

    Args:
        params: List of tensors, the weights.
        draws: `draws.Draws`.
        axes: List, for each of the weights the axes of its filters, see
            `axes`. A tensor without filters counts as one.
    """
    return [
        ops.cast(lengths(w, of or ()), w.dtype) * draws.normal(w.shape, w.dtype)
        for w, of in zip(params, axes, strict=True)
    ]


def lengths(tensor, axes):
    """Returns the length of each filter, with the axes of the tensor kept.

    Args:
        tensor: Tensor.
        axes: Tuple of ints, the axes along which filters lie.
    """
    others = [i for i in range(len(tensor.shape)) if i not in axes]
    squares = vectors.wide(tensor) ** 2
    return ops.sqrt(ops.sum(squares, others, keepdims=True))
