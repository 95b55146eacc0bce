"""Precision: mixed and pure policies, loss scaling, overflows."""

import contextlib
import functools
import sys

import pytest

from tests.support import engine  # isort: skip
from tests.support import testing  # isort: skip

import keras
import numpy as np
from keras import ops

import keras_sam
from keras_sam import descents
from keras_sam import directions

every_direction = pytest.mark.parametrize(
    "direction", testing.DIRECTIONS, ids=repr
)


@contextlib.contextmanager
def policy(name):
    old = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(old)


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    with policy("float64"), engine.float64():
        yield
    keras.config.set_floatx("float32")


def made_under(name, make=testing.dense_net):
    """Returns a function that makes a model under a dtype policy."""

    def make_under():
        with policy(name):
            return make()

    return make_under


def sam(**arguments):
    """Returns a function that wraps a model."""
    return lambda model: keras_sam.SAM(model, **{"rho": 0.5, **arguments})


def loss_scaled(inner="sgd", **arguments):
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.get(inner), **arguments
    )


def numbers(variables):
    return [v.numpy() for v in variables]


def all_finite(variables):
    return all(np.isfinite(v.numpy()).all() for v in variables)


def assert_equal(first, second, atol=0.0):
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


# Mixed precision.


def norm_net():
    """Returns the part of `testing.full_net` that trains in mixed precision."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, kernel_regularizer="l2")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.3, seed=7)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def test_policy_is_that_of_the_inner_model():
    model = keras_sam.SAM(made_under("mixed_float16")())
    assert model.dtype_policy.name == "mixed_float16"
    model.compile("sgd", "mse")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    copy = keras_sam.SAM.from_config(model.get_config())
    assert copy.dtype_policy.name == "mixed_float16"
    copy.compile("sgd", "mse")
    assert isinstance(copy.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("mixed_float16", "graph"),
        ("mixed_float16", "xla"),
        ("mixed_bfloat16", "graph"),
    ],
)
def test_mixed_precision_without_a_climb_is_plain_keras(name, mode):
    """It is so, too, while the scale is too large and steps are skipped."""

    def optimizer():
        return loss_scaled("adam", initial_scale=2.0**24)

    make = made_under(name, norm_net)
    plain, ours = (
        testing.train(make, wrap, optimizer, **testing.MODES[mode])
        for wrap in (lambda model: model, sam(ascent_steps=0))
    )
    testing.assert_same(plain, ours)
    skipped = plain[0].optimizer.dynamic_scale.numpy() < 2.0**24
    assert skipped == (name == "mixed_float16")


@pytest.mark.parametrize(
    ("name", "atol"), [("mixed_float16", 2e-3), ("mixed_bfloat16", 2e-2)]
)
@every_direction
def test_mixed_precision_approximates_float32(name, atol, direction):
    """The results agree to the 11 or 8 bits of activations."""
    mixed = two_steps(direction, name)
    assert_equal(mixed, two_steps(direction, "float32"), atol=atol)


# What several are compared with is trained once.
@functools.cache
def two_steps(direction, policy):
    """Returns the weights after a training with two ascent steps."""
    wrap = sam(direction=direction, ascent_steps=2)
    model, _ = testing.train(made_under(policy), wrap, run_eagerly=True)
    return numbers(model.trainable_variables)


@pytest.mark.parametrize(
    "name", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"]
)
def test_weights_keep_their_dtypes_and_shapes(name):
    def kinds(model):
        return [(v.shape, v.dtype, v.value.dtype) for v in model.variables]

    def wrap(model):
        wrapped = sam(direction=testing.Averaged(decay=0.5))(model)
        before.extend(kinds(wrapped))
        return wrapped

    before = []
    model, _ = testing.train(made_under(name), wrap, "adam", metrics=None)
    assert kinds(model) == before
    assert {dtype for _, dtype, _ in before} == {
        "float32" if name.startswith("mixed") else name
    }
    assert all_finite(model.variables)


# Pure half precision.


@every_direction
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_long_half_gradients_have_a_length(dtype, direction):
    """Their squares overflow float16, the inverse of their norm underflows."""
    grads = [ops.full((2000, 2000), 1e3, dtype)]
    params = [ops.ones((2000, 2000), dtype)]
    (step,) = direction(grads, params)
    expected = {
        directions.Normalized(): 1 / 2000,
        directions.Unnormalized(): 1e3,
        directions.Adaptive(): 1.01 / 2000,
        directions.Layerwise(): 1.0,
    }[direction]
    assert step.dtype == dtype
    step = ops.convert_to_numpy(ops.cast(step, "float32"))
    np.testing.assert_allclose(step, expected, rtol=2.0**-6)


@every_direction
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_no_gradient_no_step(dtype, direction):
    with engine.float64():
        params = [ops.ones((3, 2), dtype), ops.zeros((2,), dtype)]
        steps = direction([ops.zeros_like(w) for w in params], params)
        for step in steps:
            assert step.dtype == dtype
            assert not ops.convert_to_numpy(ops.cast(step, "float32")).any()


@every_direction
@pytest.mark.parametrize("name", ["float16", "float32", "mixed_float16"])
def test_flat_loss_leaves_the_weights_alone(name, direction):
    make = made_under(name)
    keras.utils.set_random_seed(1)
    initial = make()
    model, history = testing.train(
        make,
        sam(direction=direction, ascent_steps=2, radius="projected"),
        loss=lambda y, y_pred: 0.0 * ops.sum(y_pred, axis=-1),
        metrics=None,
        run_eagerly=True,
    )
    assert_equal(numbers(model.trainable_variables), numbers(initial.variables))
    assert history["loss"] == [0.0, 0.0]


# Float64.

RADII = {
    "split": lambda rho, n: rho / n,
    "full": lambda rho, n: rho,
    "projected": lambda rho, n: rho,
    "matched": lambda rho, n: 2 * rho / (n + 1),
}


def regression(x, y, w, rho, n, radius):
    """Returns w after one step of SGD(1) with multi-step SAM, by NumPy."""
    z, gradients = w, []
    for i in range(n + 1):
        gradients.append(2 * x.T @ (x @ z - y) / len(y))
        if i < n:
            unit = gradients[-1] / np.linalg.norm(gradients[-1])
            z = z + RADII[radius](rho, n) * unit
        length = np.linalg.norm(z - w)
        if radius == "projected" and length > rho:
            z = w + rho / length * (z - w)
    return w - np.mean(gradients[1:], axis=0)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("loss_scale", [None, 1 / 3])
def test_float64_all_the_way(float64, radius, loss_scale):
    random = np.random.RandomState(0)
    x, w = random.normal(size=(8, 3)), random.normal(size=(3, 1))
    y = x @ random.normal(size=(3, 1)) + 0.1
    inner = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, use_bias=False)]
    )
    inner.set_weights([w])
    model = keras_sam.SAM(
        inner, rho=0.1, ascent_steps=3, radius=radius, descent=descents.Mean()
    )
    optimizer = keras.optimizers.SGD(1.0, loss_scale_factor=loss_scale)
    model.compile(optimizer, "mse")
    model.train_on_batch(x, y)
    expected = regression(x, y, w, 0.1, 3, radius)
    assert_equal(numbers(inner.variables), [expected], atol=1e-14)


# Loss scaling in float32: powers of two scale without rounding.


# JAX compiles a step of the optimizer within a conditional, which rounds
# otherwise.
CONDITIONAL = 1e-7 if engine.JAX else 0.0


@every_direction
@pytest.mark.parametrize(
    ("optimizer", "atol"),
    [
        (lambda: loss_scaled(), CONDITIONAL),
        (lambda: loss_scaled(dynamic_growth_steps=1), CONDITIONAL),
        (lambda: keras.optimizers.SGD(loss_scale_factor=1024.0), 0.0),
    ],
    ids=["dynamic", "growing", "factor"],
)
def test_loss_scale_changes_nothing(direction, optimizer, atol):
    found = mean_of_two(direction, optimizer)
    assert_equal(found, mean_of_two(direction), atol)


@functools.cache
def mean_of_two(direction, optimizer="sgd"):
    """Returns the weights after a training with the mean of two steps."""
    wrap = sam(direction=direction, ascent_steps=2, descent=descents.Mean())
    model, _ = testing.train(
        testing.full_net, wrap, optimizer, metrics=None, run_eagerly=True
    )
    return numbers(model.variables)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: loss_scaled(initial_scale=1000.0),
        lambda: keras.optimizers.SGD(loss_scale_factor=1000.0),
    ],
    ids=["dynamic", "factor"],
)
def test_odd_loss_scale_only_rounds(optimizer):
    wrap = sam(direction=directions.Unnormalized(), ascent_steps=2)
    scaled, _ = testing.train(testing.dense_net, wrap, optimizer)
    plain, _ = testing.train(testing.dense_net, wrap)
    assert_equal(numbers(scaled.variables), numbers(plain.variables), atol=1e-6)


# Overflows.


@ops.custom_gradient
def explosive(weight, explodes):
    """The identity, with an infinite gradient where `explodes` is 1."""

    def gradient(upstream):
        infinite = np.inf * ops.sign(upstream)
        grad = ops.where(explodes > 0, infinite, upstream)
        return grad, ops.zeros_like(explodes)

    return 1.0 * weight, gradient


class Bomb(keras.layers.Layer):
    """Has an infinite gradient on batches with an example above 100.

    Args:
        weight: "w" or "b", the weight with an infinite gradient.
        moved: Bool. True: the gradient is infinite once w has moved. False: it
            is infinite until w moves.
    """

    def __init__(self, weight, moved):
        super().__init__(name="bomb")
        self.weight = weight
        self.moved = moved

    def build(self, inputs_shape, examples_shape):
        self.w = self.add_weight(shape=(6,), initializer="ones", name="w")
        self.b = self.add_weight(shape=(6,), initializer="ones", name="b")

    def call(self, inputs, examples):
        marked = ops.max(examples) > 100.0
        moved = ops.max(ops.abs(self.w - 1.0)) > 1e-3
        explodes = ops.cast(marked & (moved == self.moved), "float32")
        w, b = 1.0 * self.w, 1.0 * self.b
        if self.weight == "w":
            return explosive(w, explodes) * inputs + b
        return w * inputs + explosive(b, explodes)


def bomb_net(weight, moved):
    """Has its state, statistics and seed, below its weights."""
    inputs = keras.Input((6,))
    x = keras.layers.BatchNormalization(scale=False, center=False)(inputs)
    x = keras.layers.Dropout(0.3, seed=7)(x)
    x = Bomb(weight, moved)(x, inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("weight", "moved", "mode"),
    [
        ("w", False, "graph"),
        ("w", True, "graph"),
        ("w", True, "xla"),
        ("b", False, "graph"),
        ("b", True, "eager"),
    ],
)
def test_overflow_skips_the_step(weight, moved, mode):
    plain = bomb_net(weight, moved)
    model = keras_sam.SAM(
        bomb_net(weight, moved),
        rho=0.5,
        direction=testing.Averaged(decay=0.5),
        perturb="bomb/w",
        ascent_steps=3,
    )
    x, y = testing.data(8)
    bad = x.copy()
    bad[3, 2] = 1e3
    for each in (plain, model):
        each.compile(
            loss_scaled(keras.optimizers.SGD(1e-4, momentum=0.9)),
            testing.cross_entropy(),
            **testing.MODES[mode],
        )
        each.train_on_batch(x, y)
    kept = [
        *model.trainable_variables,
        *(v for v in model.non_trainable_variables if "memory" in v.path),
        *model.optimizer.inner_optimizer.variables,
    ]
    assert len(kept) == 4 + 1 + 6
    before, scale = numbers(kept), model.optimizer.dynamic_scale.numpy()

    for each in (plain, model):
        each.train_on_batch(bad, y)

    assert_equal(numbers(kept), before)
    assert model.optimizer.dynamic_scale.numpy() == scale / 2
    assert model.optimizer.step_counter.numpy() == 0
    state = [v for v in model.model.variables if not v.trainable]
    expected = [v for v in plain.variables if not v.trainable]
    for one, two in zip(numbers(state), numbers(expected), strict=True):
        # Means over the batch, which another graph may sum otherwise.
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    if not moved:
        assert_equal(
            numbers(model.optimizer.variables[:4]),
            numbers(plain.optimizer.variables[:4]),
        )
    model.train_on_batch(x, y)
    assert all_finite(model.variables)
    assert np.any(kept[0].numpy() != before[0])


@pytest.mark.parametrize(
    ("weight", "moved"), [("w", False), ("w", True), ("b", True)]
)
def test_overflow_without_loss_scaling_is_visible(weight, moved):
    """The case left out has no effect: no step uses the first gradient of b."""
    model = sam(perturb="bomb/w")(bomb_net(weight, moved))
    model.compile("sgd", testing.cross_entropy())
    x, y = testing.data(8)
    model.train_on_batch(1e3 * x, y)
    assert not all_finite(model.trainable_variables)


# Gradient accumulation.


def test_accumulation_under_a_loss_scale():
    x, y = testing.data(16)
    fit = {"x": x, "y": y, "epochs": 1}
    model, _ = testing.train(
        testing.dense_net,
        sam(ascent_steps=2),
        lambda: loss_scaled(
            keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
        ),
        fit=fit,
    )
    halves = [
        testing.train(
            testing.dense_net,
            sam(ascent_steps=2),
            lambda: keras.optimizers.SGD(1.0),
            fit={"x": x[rows], "y": y[rows], "epochs": 1},
        )[0]
        for rows in (slice(0, 8), slice(8, 16))
    ]
    one, two = (numbers(half.trainable_variables) for half in halves)
    expected = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    assert_equal(numbers(model.trainable_variables), expected, atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
