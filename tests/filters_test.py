"""Which axes of a kernel number its filters, and noise on the filters."""

import operator
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import _filters
from keras_sam import directions
from keras_sam import starts
from keras_sam.landscape import Landscape
from keras_sam.landscape import filter_normalized
from tests.support import engine

layers = keras.layers
TOKENS = "tokens"


@pytest.fixture
def float64():
    with engine.float64():
        yield


class Attending(layers.Wrapper):
    """Attention of a sequence to itself."""

    def build(self, shape):
        self.layer.build(shape, shape)

    def call(self, x):
        return self.layer(x, x)


def axes(layer, *shape):
    """Returns {name: axes} of the weights of a layer, called on a shape."""
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    found = _filters.axes(model, model.trainable_variables)
    return {
        variable.path.split("/", 1)[-1]: chosen
        for variable, chosen in zip(model.trainable_variables, found)
    }


def separable(depthwise, pointwise):
    return {
        "depthwise_kernel": depthwise,
        "pointwise_kernel": pointwise,
        "bias": None,
    }


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (lambda: layers.Dense(3), (5,), {"kernel": (1,), "bias": None}),
        (lambda: layers.Conv1D(4, 3), (9, 2), {"kernel": (2,), "bias": None}),
        (
            lambda: layers.Conv2D(4, 3),
            (9, 9, 2),
            {"kernel": (3,), "bias": None},
        ),
        (
            lambda: layers.Conv3D(4, 2),
            (5, 5, 5, 2),
            {"kernel": (4,), "bias": None},
        ),
        (
            lambda: layers.Conv2D(4, 3, groups=2),
            (9, 9, 2),
            {"kernel": (3,), "bias": None},
        ),
        (
            lambda: layers.Conv1DTranspose(4, 3),
            (9, 2),
            {"kernel": (1,), "bias": None},
        ),
        (
            lambda: layers.Conv2DTranspose(4, 3),
            (9, 9, 2),
            {"kernel": (2,), "bias": None},
        ),
        (
            lambda: layers.Conv3DTranspose(4, 2),
            (5, 5, 5, 2),
            {"kernel": (3,), "bias": None},
        ),
        (
            lambda: layers.DepthwiseConv1D(3, depth_multiplier=2),
            (9, 2),
            {"kernel": (1, 2), "bias": None},
        ),
        (
            lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
            (9, 9, 2),
            {"kernel": (2, 3), "bias": None},
        ),
        (
            lambda: layers.SeparableConv1D(4, 3),
            (9, 2),
            {
                "depthwise_kernel": (1, 2),
                "pointwise_kernel": (2,),
                "bias": None,
            },
        ),
        (
            lambda: layers.SeparableConv2D(4, 3),
            (9, 9, 2),
            {
                "depthwise_kernel": (2, 3),
                "pointwise_kernel": (3,),
                "bias": None,
            },
        ),
        (lambda: layers.Embedding(7, 4), (3,), {"embeddings": (0,)}),
        (
            lambda: layers.EinsumDense(
                "abc,cde->abde", (None, 2, 3), bias_axes="de"
            ),
            (4, 5),
            {"kernel": (1, 2), "bias": None},
        ),
        (
            lambda: layers.EinsumDense("abcd,cde->abe", (None, 3)),
            (4, 2, 5),
            {"kernel": (2,)},
        ),
        (
            lambda: layers.EinsumDense("...x,xy->...y", 3),
            (4, 5),
            {"kernel": (1,)},
        ),
        (
            lambda: layers.LSTM(3),
            (4, 2),
            {
                "lstm_cell/kernel": (1,),
                "lstm_cell/recurrent_kernel": (1,),
                "lstm_cell/bias": None,
            },
        ),
        # Its bias has two axes.
        (
            lambda: layers.GRU(3),
            (4, 2),
            {
                "gru_cell/kernel": (1,),
                "gru_cell/recurrent_kernel": (1,),
                "gru_cell/bias": None,
            },
        ),
        (
            lambda: layers.BatchNormalization(),
            (4,),
            {"gamma": None, "beta": None},
        ),
        (
            lambda: layers.LayerNormalization(axis=(1, 2)),
            (4, 3),
            {"gamma": None, "beta": None},
        ),
        (
            lambda: layers.RMSNormalization(axis=(1, 2)),
            (4, 3),
            {"scale": None},
        ),
        (lambda: layers.PReLU(), (4, 3), {"alpha": None}),
    ],
)
def test_axes_of_a_layer(make, shape, expected):
    assert axes(make(), *shape) == expected


def test_attention():
    """The kernels are those of its own EinsumDense layers."""
    inputs = keras.Input((4, 6))
    outputs = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    model = keras.Model(inputs, outputs)
    found = [
        (len(v.shape), chosen)
        for v, chosen in zip(
            model.trainable_variables,
            _filters.axes(model, model.trainable_variables),
        )
    ]
    # Heads and their outputs; last, the projection of all heads.
    into = [(3, (1, 2)), (2, None)]
    assert found == [*into, *into, *into, (3, (2,)), (1, None)]


def test_the_owner_decides_and_not_the_wrapper():
    layer = layers.SpectralNormalization(layers.Conv2DTranspose(4, 3))
    found = axes(layer, 9, 9, 2)
    (kernel,) = [chosen for name, chosen in found.items() if "kernel" in name]
    assert kernel == (2,)


def test_factors_of_lora():
    layer = layers.Dense(3)
    layer.build((None, 5))
    layer.enable_lora(2)
    found = axes(layer, 5)
    assert found == {
        "lora_kernel_a": (1,),
        "lora_kernel_b": (1,),
        "bias": None,
    }


class Own(layers.Layer):
    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], 3))
        self.rows = [self.add_weight(shape=(3,))]

    def call(self, x):
        return x @ self.matrix + self.rows[0]


def test_layers_that_are_not_of_keras():
    assert list(axes(Own(), 5).values()) == [(1,), None]


# A filter makes one output: nothing else moves with it. For each layer, the
# name of a kernel, the axes that number its outputs, and other weights to set.
def identity(layer):
    kernel = layer.pointwise_kernel
    kernel.assign(np.eye(kernel.shape[-1]).reshape(kernel.shape))


def without_recurrence(layer):
    layer.cell.recurrent_kernel.assign(
        np.zeros(layer.cell.recurrent_kernel.shape)
    )


OUTPUTS = {
    "Dense": (layers.Dense(3), (5,), "kernel", (1,), None),
    "Conv1D": (layers.Conv1D(4, 3), (6, 2), "kernel", (2,), None),
    "Conv2D": (layers.Conv2D(4, 3), (5, 5, 2), "kernel", (3,), None),
    "Conv3D": (layers.Conv3D(3, 2), (3, 3, 3, 2), "kernel", (4,), None),
    "Conv1DTranspose": (
        layers.Conv1DTranspose(4, 3),
        (6, 2),
        "kernel",
        (2,),
        None,
    ),
    "Conv2DTranspose": (
        layers.Conv2DTranspose(4, 3),
        (4, 4, 2),
        "kernel",
        (3,),
        None,
    ),
    "Conv3DTranspose": (
        layers.Conv3DTranspose(4, 2),
        (3, 3, 3, 2),
        "kernel",
        (4,),
        None,
    ),
    "DepthwiseConv1D": (
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        (6, 2),
        "kernel",
        (2,),
        None,
    ),
    "DepthwiseConv2D": (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        (5, 5, 2),
        "kernel",
        (3,),
        None,
    ),
    "SeparableConv1D, depthwise": (
        layers.SeparableConv1D(4, 3, depth_multiplier=2),
        (6, 2),
        "depthwise_kernel",
        (2,),
        identity,
    ),
    "SeparableConv2D, depthwise": (
        layers.SeparableConv2D(4, 3, depth_multiplier=2),
        (5, 5, 2),
        "depthwise_kernel",
        (3,),
        identity,
    ),
    "SeparableConv2D, pointwise": (
        layers.SeparableConv2D(3, 3),
        (5, 5, 2),
        "pointwise_kernel",
        (3,),
        None,
    ),
    "EinsumDense, heads": (
        layers.EinsumDense("abc,cde->abde", (None, 2, 3)),
        (4, 5),
        "kernel",
        (2, 3),
        None,
    ),
    "EinsumDense, joined": (
        layers.EinsumDense("abcd,cde->abe", (None, 3)),
        (4, 2, 5),
        "kernel",
        (2,),
        None,
    ),
    "Embedding": (
        layers.Embedding(7, 4),
        TOKENS,
        "embeddings",
        (1,),
        None,
    ),
    "SimpleRNN": (
        layers.SimpleRNN(3),
        (4, 2),
        "cell.kernel",
        (1,),
        without_recurrence,
    ),
    # Four filters, one for each gate, make the output of a unit.
    "LSTM": (
        layers.LSTM(3),
        (4, 2),
        "cell.kernel",
        (1,),
        without_recurrence,
    ),
    "GRU": (layers.GRU(3), (4, 2), "cell.kernel", (1,), without_recurrence),
    "MultiHeadAttention, out": (
        Attending(layers.MultiHeadAttention(2, 3)),
        (4, 6),
        "layer._output_dense.kernel",
        (2,),
        None,
    ),
    "GroupQueryAttention, out": (
        Attending(layers.GroupQueryAttention(3, 4, 2)),
        (4, 6),
        "layer._output_dense.kernel",
        (2,),
        None,
    ),
}
GATES = {"LSTM": 4, "GRU": 3}


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_filter_makes_one_output(name):
    layer, shape, path, numbering, prepare = OUTPUTS[name]
    inputs = (
        keras.Input((7,), dtype="int32")
        if shape is TOKENS
        else keras.Input(shape)
    )
    model = keras.Model(inputs, layer(inputs))
    random = np.random.RandomState(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    if prepare:
        prepare(layer)
    x = (
        np.arange(7)[None]
        if shape is TOKENS
        else random.normal(size=(2, *shape))
    )
    kernel = operator.attrgetter(path)(layer)
    slopes = engine.jacobian(lambda: model(x), kernel)
    # Which outputs, of all examples and places, move with which weight.
    axes = range(slopes.ndim - len(kernel.shape))
    moves = (slopes != 0).any(axis=tuple(set(axes) - set(numbering)))
    outputs = np.prod([slopes.shape[i] for i in numbering])
    moves = moves.reshape(outputs, *kernel.shape)
    (axes,) = _filters.axes(model, [kernel])
    others = tuple(1 + i for i in range(len(kernel.shape)) if i not in axes)
    by_filter = moves.any(axis=others).reshape(outputs, -1)
    assert (by_filter.sum(axis=0) == 1).all()
    # And each output has one filter, so a filter is not a part of another.
    assert (by_filter.sum(axis=1) == GATES.get(name, 1)).all()


def test_directions_have_the_lengths_of_the_filters():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.BatchNormalization(),
            layers.Conv2DTranspose(3, 3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile("sgd", "mse")
    found = Landscape(model, np.zeros((2, 6, 6, 2)), np.zeros((2, 3)))
    direction = filter_normalized(found, seed=4)
    axes = _filters.axes(model, found.variables)
    assert {a is None for a in axes} == {True, False}
    for d, w, kept in zip(direction, found.params, axes, strict=True):
        d, w = np.array(d), np.array(w)
        if kept is None:
            assert not d.any()
            continue
        others = tuple(i for i in range(w.ndim) if i not in kept)
        lengths = np.sqrt(np.sum(d**2, others))
        np.testing.assert_allclose(
            lengths, np.sqrt(np.sum(w**2, others)), rtol=1e-5
        )
        assert not np.allclose(d, w)
    for a, b, c in zip(
        direction, filter_normalized(found, 4), filter_normalized(found, 5)
    ):
        np.testing.assert_array_equal(a, b)
        assert not np.any(a) or np.any(a != c)


# For each layer, the standard deviation of noise on its kernel: the norm of the
# filter, the weights that make one output, in plain NumPy.
def of_dense(w):
    """w[i, o] connects an input with an output."""
    return np.stack(
        [np.full(len(w), np.linalg.norm(w[:, o])) for o in range(w.shape[1])],
        axis=1,
    )


def of_convolution(w):
    """w[row, column, i, o] connects a window of all channels with a channel."""
    deviation = np.empty_like(w)
    for o in range(w.shape[3]):
        deviation[..., o] = np.linalg.norm(w[..., o].ravel())
    return deviation


def of_depthwise_convolution(w):
    """w[row, column, i, m] connects a window of one channel with a channel."""
    deviation = np.empty_like(w)
    for i in range(w.shape[2]):
        for m in range(w.shape[3]):
            deviation[:, :, i, m] = np.linalg.norm(w[:, :, i, m].ravel())
    return deviation


def of_embedding(w):
    """w[token] is the output of a token."""
    deviation = np.empty_like(w)
    for token, row in enumerate(w):
        deviation[token] = np.linalg.norm(row)
    return deviation


def of_einsum(w):
    """w[i, head, o] of "abi,iho->abho" connects an input with an output."""
    deviation = np.empty_like(w)
    for head in range(w.shape[1]):
        for o in range(w.shape[2]):
            deviation[:, head, o] = np.linalg.norm(w[:, head, o])
    return deviation


NOISE = {
    "Dense": (lambda: layers.Dense(3), (5,), of_dense),
    "Conv2D": (lambda: layers.Conv2D(4, 3), (9, 9, 2), of_convolution),
    "DepthwiseConv2D": (
        lambda: layers.DepthwiseConv2D(3, depth_multiplier=2),
        (9, 9, 2),
        of_depthwise_convolution,
    ),
    "Embedding": (lambda: layers.Embedding(7, 4), (3,), of_embedding),
    "EinsumDense": (
        lambda: layers.EinsumDense(
            "abi,iho->abho", (None, 2, 3), bias_axes="ho"
        ),
        (4, 5),
        of_einsum,
    ),
}


class Ones:
    """Stands for the context of a step on a model: each draw is 1."""

    def __init__(self, model):
        self._model = model

    def draws(self, part):
        return self

    def normal(self, shape, dtype):
        return ops.ones(shape, dtype)

    def filters(self):
        return _filters.axes(self._model, self._model.trainable_variables)


@pytest.mark.parametrize("layer", NOISE)
@pytest.mark.parametrize(
    "noise",
    [
        lambda w, context: directions.Random()(w, w, context=context),
        lambda w, context: starts.Random()(w, context=context),
        lambda w, context: starts.AdaptiveRandom()(
            w, [0 * a for a in w], context=context
        )[0],
        lambda w, context: directions.AdaptiveRandom()(
            w, w, [0 * a for a in w], context=context
        )[0],
    ],
    ids=["direction", "start", "adaptive start", "adaptive direction"],
)
def test_noise_has_the_length_of_the_filter_that_makes_an_output(
    layer, noise, float64
):
    make, shape, deviation = NOISE[layer]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, make()(inputs))
    random = np.random.RandomState(0)
    # Filters of different lengths, and biases that are not 0.
    params = [
        np.exp(random.normal(size=v.shape)) for v in model.trainable_variables
    ]
    tensors = [ops.convert_to_tensor(w, "float64") for w in params]
    kernel, *biases = noise(tensors, Ones(model))
    assert kernel.dtype == "float64"
    np.testing.assert_allclose(kernel, deviation(params[0]), rtol=1e-14)
    # A bias counts as one filter.
    for actual, bias in zip(biases, params[1:], strict=True):
        expected = np.full(bias.shape, np.linalg.norm(bias.ravel()))
        np.testing.assert_allclose(actual, expected, rtol=1e-14)


@pytest.mark.parametrize("layer", NOISE)
def test_adaptive_noise_shrinks_by_the_sum_over_the_filter(layer, float64):
    make, shape, deviation = NOISE[layer]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, make()(inputs))
    random = np.random.RandomState(0)
    # The length of a filter of roots is the root of the sum.
    roots = [random.normal(size=v.shape) for v in model.trainable_variables]
    memory = [ops.convert_to_tensor(r**2, "float64") for r in roots]
    ones = [ops.ones_like(m) for m in memory]
    start = starts.AdaptiveRandom(eta=3.0)
    kernel, *biases = start(ones, memory, context=Ones(model))[0]
    full, *flat = start(ones, [0 * m for m in memory], context=Ones(model))[0]
    expected = 1 / np.sqrt(1 + 3.0 * deviation(roots[0]) ** 2)
    np.testing.assert_allclose(kernel / full, expected, rtol=1e-13)
    # In a bias each weight has its own.
    for one, two, root in zip(biases, flat, roots[1:], strict=True):
        expected = 1 / np.sqrt(1 + 3.0 * root**2)
        np.testing.assert_allclose(one / two, expected, rtol=1e-13)


def test_smoothed_evaluates_at_the_noise_of_random(float64):
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
    w = [ops.cast(v, "float64") for v in model.trainable_variables]
    context, places = Ones(model), []
    context.gradient = lambda params: places.append(params) or params
    directions.Smoothed(sigma=0.5)(w, w, context=context)
    x = directions.Random()(w, w, context=context)
    for place, a, b in zip(places[0], w, x, strict=True):
        np.testing.assert_allclose(place, a + 0.5 * b, rtol=1e-14)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
