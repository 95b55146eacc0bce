"""Products with the Hessian are the derivative of the library's own gradient.

The derivative is taken by central differences, in float64.
"""

import contextlib
import functools
import sys

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

import keras_sam
from keras_sam import landscape
from tests.support import engine
from tests.support import testing

EXAMPLES = 12
STEP = 2e-6  # Of central differences.
VECTOR, LINE, IMAGE, VOLUME = (4,), (6, 2), (6, 6, 2), (4, 4, 4, 2)
SEQUENCE, TOKENS = (4, 3), "tokens"
make = functools.partial


class ToItself(layers.Wrapper):
    """Applies a layer of several inputs to one input."""

    def build(self, shape):
        self.separate = isinstance(
            self.layer, (layers.MultiHeadAttention, layers.GroupQueryAttention)
        )
        shapes = (shape, shape) if self.separate else ([shape, shape],)
        self.layer.build(*shapes)

    def call(self, x):
        return self.layer(x, x) if self.separate else self.layer([x, x])


DENSE = make(layers.Dense, 6)
# Each line: the shape of an example, then functions that make the layers.
CASES = {
    # In training mode.
    "BatchNormalization": (VECTOR, DENSE, layers.BatchNormalization),
    "BatchNormalization, images": (
        IMAGE,
        make(layers.Conv2D, 4, 3),
        layers.BatchNormalization,
    ),
    "BatchNormalization, synchronized": (
        VECTOR,
        DENSE,
        make(layers.BatchNormalization, synchronized=True),
    ),
    "Dropout": (VECTOR, DENSE, make(layers.Dropout, 0.4, seed=1)),
    "SpatialDropout1D": (SEQUENCE, make(layers.SpatialDropout1D, 0.4, seed=1)),
    "SpatialDropout2D": (IMAGE, make(layers.SpatialDropout2D, 0.4, seed=1)),
    "GaussianDropout": (
        VECTOR,
        DENSE,
        make(layers.GaussianDropout, 0.4, seed=1),
    ),
    "GaussianNoise": (VECTOR, DENSE, make(layers.GaussianNoise, 0.4, seed=1)),
    "AlphaDropout": (VECTOR, DENSE, make(layers.AlphaDropout, 0.4, seed=1)),
}
IN_TRAINING = frozenset(CASES)
# On JAX attention computes its softmax in float32 in any case.
SINGLE = ("MultiHeadAttention", "GroupedQueryAttention", "tokens")
# What Keras has on TensorFlow alone.
OF_TENSORFLOW = ("BatchNormalization, synchronized", "Resizing, nearest")
CASES |= {
    "BatchNormalization, inference": (
        VECTOR,
        DENSE,
        layers.BatchNormalization,
    ),
    "BatchNormalization, renorm, inference": (
        VECTOR,
        DENSE,
        make(layers.BatchNormalization, renorm=True),
    ),
    "LayerNormalization": (VECTOR, DENSE, layers.LayerNormalization),
    "LayerNormalization, axes": (
        SEQUENCE,
        DENSE,
        make(layers.LayerNormalization, axis=(1, 2)),
    ),
    "GroupNormalization": (VECTOR, DENSE, make(layers.GroupNormalization, 2)),
    "RMSNormalization": (VECTOR, DENSE, layers.RMSNormalization),
    "UnitNormalization": (VECTOR, DENSE, layers.UnitNormalization),
    "SpectralNormalization": (
        VECTOR,
        lambda: layers.SpectralNormalization(DENSE()),
    ),
    "PReLU": (VECTOR, DENSE, layers.PReLU),
    "LeakyReLU": (VECTOR, DENSE, layers.LeakyReLU),
    "ELU": (VECTOR, DENSE, layers.ELU),
    "Softmax": (VECTOR, DENSE, layers.Softmax),
    "ActivityRegularization": (
        VECTOR,
        DENSE,
        make(layers.ActivityRegularization, 0.1, 0.1),
    ),
    "EinsumDense": (
        SEQUENCE,
        make(layers.EinsumDense, "abc,cd->abd", (4, 4)),
    ),
    "Embedding": (TOKENS, make(layers.Embedding, 7, 4)),
    "ReversibleEmbedding": (TOKENS, make(layers.ReversibleEmbedding, 7, 4)),
    "Bidirectional": (
        SEQUENCE,
        lambda: layers.Bidirectional(layers.GRU(3)),
    ),
    "TimeDistributed": (
        SEQUENCE,
        lambda: layers.TimeDistributed(layers.Dense(4)),
    ),
    "ConvLSTM1D": ((3, 4, 2), make(layers.ConvLSTM1D, 2, 2)),
    "ConvLSTM2D": ((3, 4, 4, 2), make(layers.ConvLSTM2D, 2, 2)),
    "SeparableConv1D": (LINE, make(layers.SeparableConv1D, 3, 2)),
    "SeparableConv2D": (IMAGE, make(layers.SeparableConv2D, 3, 2)),
    "DepthwiseConv1D": (LINE, make(layers.DepthwiseConv1D, 2)),
    "DepthwiseConv2D": (IMAGE, make(layers.DepthwiseConv2D, 2)),
    "Resizing, nearest": (
        IMAGE,
        make(layers.Conv2D, 3, 3),
        make(layers.Resizing, 5, 7, interpolation="nearest"),
    ),
    **{
        f"{name}, {'unrolled' if unroll else 'loop'}": (
            SEQUENCE,
            make(getattr(layers, name), 3, unroll=unroll),
        )
        for name in ("SimpleRNN", "GRU", "LSTM")
        for unroll in (True, False)
    },
    **{
        layer.__name__: (
            SEQUENCE,
            make(layers.Dense, 4),
            lambda layer=layer, sizes=sizes: ToItself(layer(*sizes)),
        )
        for layer, sizes in (
            (layers.MultiHeadAttention, (2, 3)),
            (layers.GroupQueryAttention, (3, 4, 2)),
            (layers.Attention, (True,)),
            (layers.AdditiveAttention, ()),
        )
    },
    **{
        f"Conv{axes}{kind}, {options}": (
            shape,
            make(getattr(layers, f"Conv{axes}{kind}"), 3, 2, **options),
        )
        for axes, shape in (("1D", LINE), ("2D", IMAGE), ("3D", VOLUME))
        for kind in ("", "Transpose")
        for options in ({}, {"strides": 2}, {"dilation_rate": 2})
        # TensorFlow has no dilated transposed convolution for a CPU.
        if not kind or "dilation_rate" not in options
    },
    # TensorFlow has no pooling of volumes in float64 on a CPU.
    **{
        f"{kind}Pooling{axes}": (
            shape,
            make(getattr(layers, f"Conv{axes}"), 3, 3),
            make(getattr(layers, f"{kind}Pooling{axes}"), *sizes),
        )
        for axes, shape in (("1D", LINE), ("2D", IMAGE))
        for kind, sizes in (
            ("Max", (2,)),
            ("Average", (2,)),
            ("GlobalMax", ()),
            ("GlobalAverage", ()),
            ("AdaptiveMax", (2,)),
            ("AdaptiveAverage", (2,)),
        )
    },
    **{
        name: (VECTOR, DENSE, make(layers.Activation, name))
        for name in dir(keras.activations)
        if name[0] != "_"
        and name not in ("deserialize", "get", "glu", "serialize", "threshold")
    },
}
# Several kinds of layers in a network, for graphs and for XLA.
NETWORKS = {
    "images": (
        IMAGE,
        make(layers.Conv2D, 4, 3, padding="same"),
        layers.BatchNormalization,
        make(layers.Activation, "softsign"),
        layers.MaxPooling2D,
        make(layers.DepthwiseConv2D, 2),
        make(layers.GroupNormalization, 2),
        make(layers.Conv2DTranspose, 3, 2),
    ),
    "tokens": (
        TOKENS,
        make(layers.Embedding, 7, 4, embeddings_initializer="orthogonal"),
        lambda: ToItself(layers.MultiHeadAttention(2, 2)),
        layers.LayerNormalization,
        make(layers.GRU, 4),
        layers.RMSNormalization,
    ),
}


def data(shape):
    random = np.random.RandomState(0)
    y = random.randint(0, 3, EXAMPLES)
    if shape == TOKENS:
        return random.randint(0, 7, (EXAMPLES, 5)), y
    return random.normal(size=(EXAMPLES, *shape)), y


def network(shape, *made, **compiling):
    keras.utils.set_random_seed(1)
    inputs = (
        keras.Input((5,), dtype="int32")
        if shape == TOKENS
        else keras.Input(shape)
    )
    net = keras.Sequential(
        [
            inputs,
            *(layer() for layer in made),
            layers.Flatten(),
            layers.Activation("tanh"),  # It makes a linear layer curved.
            layers.Dense(3),
        ]
    )
    net.compile("sgd", testing.cross_entropy(), **compiling)
    return net


def directions_like(arrays):
    random = np.random.RandomState(2)
    return [random.normal(size=a.shape).astype(a.dtype) for a in arrays]


def tensors(arrays):
    return [ops.convert_to_tensor(a) for a in arrays]


def product(at, weights, vector):
    found = at.hessian_vector_product(tensors(weights), tensors(vector))
    return [ops.convert_to_numpy(p) for p in found]


def differences(at, weights, vector, step):
    ends = [
        at.gradient(
            tensors(
                [
                    w + sign * step * v
                    for w, v in zip(weights, vector, strict=True)
                ]
            )
        )
        for sign in (1, -1)
    ]
    return [
        (ops.convert_to_numpy(a) - ops.convert_to_numpy(b)) / (2 * step)
        for a, b in zip(*ends, strict=True)
    ]


def off(found, expected):
    """Returns the length of the difference, relative to what is expected."""
    flat = [np.concatenate([np.ravel(a) for a in b]) for b in (found, expected)]
    return np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1])


def assert_exact(at, name=None):
    """Asserts that a product is right; returns weights, vector and product."""
    step, limit = STEP, 1e-6
    if engine.JAX and name in SINGLE:
        step, limit = 1e-4, 1e-3
    weights = [v.numpy() for v in at.variables]
    vector = directions_like(weights)
    found = product(at, weights, vector)
    assert off(found, differences(at, weights, vector, step)) < limit
    return weights, vector, found


def view(net, training, **settings):
    x, y = settings.pop("data")
    return landscape.Landscape(
        net, x, y, batch_size=EXAMPLES, training=training, **settings
    )


# `make test` takes one of the convolutions of each kind, and a few activations.
OFTEN = [
    name
    for name in CASES
    if "'" not in name
    and (name not in dir(keras.activations) or name in ("gelu", "softsign"))
]


@pytest.mark.parametrize(
    "name", testing.thinned(CASES, lambda i, name: name in OFTEN)
)
def test_layer(name):
    if engine.JAX and name in OF_TENSORFLOW:
        pytest.skip("Keras has it on TensorFlow alone")
    shape, *made = CASES[name]
    with testing.float64():
        net = network(shape, *made, run_eagerly=True)
        at = view(net, name in IN_TRAINING, data=data(shape))
        assert_exact(at, name)


@pytest.mark.parametrize(
    ("name", "xla"), [("images", False), ("images", True), ("tokens", True)]
)
def test_network(name, xla):
    """In float32 the product is that in float64, but for rounding."""
    shape, *made = NETWORKS[name]
    with testing.float64():
        net = network(shape, *made)
        at = view(net, True, xla=xla, data=data(shape))
        weights, vector, exact = assert_exact(at, name)
    single = view(network(shape, *made), True, xla=xla, data=data(shape))
    weights, vector = (
        [a.astype("float32") for a in arrays] for arrays in (weights, vector)
    )
    assert off(product(single, weights, vector), exact) < 1e-4


def test_every_layer_with_weights_or_moments_is_here():
    here = {name.split(",")[0] for name in CASES}
    left = {
        # Made of those here, or bases of them.
        *("Dense", "RNN", "SimpleRNNCell", "GRUCell", "LSTMCell"),
        *("StackedRNNCells", "ConvLSTM3D", "Wrapper", "Layer", "Lambda"),
        # TensorFlow has them in float32 only, or without gradient.
        *(f"{kind}Pooling3D" for kind in ("Max", "Average")),
        "Normalization",
        # Of Keras 3.16: it passes gradients straight through its rounding.
        "TernaryDense",
    }
    kinds = (
        *("Conv", "Pooling", "Normalization", "RNN", "LSTM", "GRU", "Cell"),
        *("Attention", "Embedding", "Dropout", "Noise", "Dense"),
    )
    for name in dir(layers):
        layer = getattr(layers, name)
        if isinstance(layer, type) and any(kind in name for kind in kinds):
            known = {layer.__name__, name} & (here | left)
            assert known or "3D" in name, name


@testing.TENSORFLOW  # Keras's layer needs it.
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos3"])
def test_resized_images(interpolation):
    """Resizing is linear, so it equals a product with a matrix.

    TensorFlow resizes in float32 only.
    """
    resize = layers.Resizing(5, 7, interpolation=interpolation)
    basis = np.eye(4 * 4 * 3).reshape(-1, 4, 4, 3)
    matrix = np.reshape(resize(basis), (4 * 4 * 3, -1)).astype("float32")
    multiply = make(
        layers.Lambda, lambda x: ops.matmul(ops.reshape(x, (-1, 48)), matrix)
    )
    found = []
    for layer in (lambda: resize, multiply):
        net = network(IMAGE, make(layers.Conv2D, 3, 3), layer)
        at = view(net, False, data=data(IMAGE))
        weights = [v.numpy() for v in at.variables]
        found.append(product(at, weights, directions_like(weights)))
    assert off(*found) < 1e-5


def test_moments_of_a_layer_of_ones_own():
    def layer():
        return layers.Lambda(
            lambda x: x / ops.moments(x, [1], keepdims=True)[1]
        )

    with testing.float64():
        net = network(VECTOR, DENSE, layer)
        at = view(net, False, data=data(VECTOR))
        assert_exact(at)


def test_a_loss_scale_does_not_lose_small_products():
    """The product with a unit vector in many directions, in float16."""
    x, y = testing.data(EXAMPLES, 64)
    found = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            keras.utils.set_random_seed(1)
            net = keras.Sequential(
                [
                    keras.Input((64,)),
                    layers.Dense(512, "tanh"),
                    layers.Dense(512, "tanh"),
                    layers.Dense(3, dtype="float32"),
                ]
            )
            net.compile("sgd", testing.cross_entropy())
            at = view(net, True, data=(x, y))
            weights = [v.numpy() for v in at.variables]
            vector = directions_like(weights)
            size = np.sqrt(sum(np.sum(v**2) for v in vector))
            unit = [(v / size).astype("float32") for v in vector]
            found.append(product(at, weights, unit))
        finally:
            keras.config.set_dtype_policy("float32")
    assert off(*found[::-1]) < 0.01


def test_xla_compiles_products_through_statistics_in_a_conditional():
    x, y = testing.data(EXAMPLES, 4)
    moved = []
    for jit in (False, True):
        net = network(VECTOR, DENSE, layers.BatchNormalization)
        sam = keras_sam.SAM(
            net, direction=keras_sam.directions.Eigen(0.5, 2, 2)
        )
        sam.compile("sgd", testing.cross_entropy(), jit_compile=jit)
        sam.train_on_batch(x, y)
        moved.append(net.get_weights())
    assert off(*moved) < 1e-5


@testing.TENSORFLOW  # On JAX Keras does not synchronize statistics.
def test_statistics_of_two_replicas():
    """Synchronized statistics depend on the examples of all replicas."""
    made = make(layers.BatchNormalization, synchronized=True)
    x, y = testing.data(EXAMPLES, 4)
    found = []
    for devices in (contextlib.nullcontext(), testing.two_replicas().scope()):
        with devices:
            at = view(network(VECTOR, DENSE, made), True, data=(x, y))
            weights = [v.numpy() for v in at.variables]
            found.append(product(at, weights, directions_like(weights)))
    assert off(*found) < 1e-5


class Quantized(layers.Layer):
    def call(self, x):
        return engine.tf.quantization.fake_quant_with_min_max_args(x)


@testing.TENSORFLOW
@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize(
    ("layer", "training", "message"),
    [
        (
            lambda: layers.SpectralNormalization(layers.Dense(5)),
            True,
            r"`training=False`. Received: \['.*kernel'\]",
        ),
        (
            make(layers.BatchNormalization, renorm=True),
            True,
            r"`training=False`. Received: \['.*batch_normalization.*'\]",
        ),
        (
            make(layers.Lambda, lambda x: engine.tf.nn.lrn(x[:, None, None])),
            False,
            "does not have them for .* uses: .*LRNGrad",
        ),
        (Quantized, False, "does not have them for .* uses: FakeQuant"),
    ],
)
def test_what_has_no_second_derivative(layer, training, message, eager):
    net = network(VECTOR, DENSE, layer, run_eagerly=eager)
    at = view(net, training, data=testing.data(EXAMPLES, 4))
    with pytest.raises(NotImplementedError, match=message):
        at.hessian_vector_product(at.params, at.params)
    assert len(at.gradient(at.params)) == len(at.params)


def test_the_direction_of_eigen_is_that_of_its_landscape():
    """Training asks for products in training mode, with the same result."""
    seen = []

    class Spy(keras_sam.parts.Direction):
        def __call__(self, grads, params, *, context):
            seen.append(context.hessian_vector_product(params, params))
            return grads

    x, y = testing.data(EXAMPLES, 4)
    net = network(VECTOR, DENSE, layers.BatchNormalization)
    at = view(net, True, data=(x, y))
    expected = product(at, at.params, at.params)
    sam = keras_sam.SAM(net, direction=Spy())
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    sam.train_on_batch(x, y)
    found = [ops.convert_to_numpy(p) for p in seen[0]]
    assert off(found, expected) < 1e-5


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
