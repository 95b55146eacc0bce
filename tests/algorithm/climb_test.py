"""A train step equals the papers' arithmetic, as the float64 oracle has it."""

import itertools
import sys

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import descents
from keras_sam import directions
from keras_sam import parts
from keras_sam import samples
from keras_sam import vectors
from tests.support import oracle
from tests.support import testing

DIRECTIONS = {
    "normalized": (directions.Normalized(), oracle.sam),
    "unnormalized": (directions.Unnormalized(), oracle.usam),
    "adaptive": (directions.Adaptive(), oracle.asam),
    "layerwise": (directions.Layerwise(), oracle.layerwise),
}
DESCENTS = {
    "last": (descents.Last(), oracle.last),
    "mean": (descents.Mean(), oracle.mean),
}
RADII = ("split", "full", "projected", "matched")


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def data():
    x, y = testing.data(examples=13)
    return x.astype("float64"), y


def weights():
    random = np.random.RandomState(1)
    return [random.normal(size=s) for s in ((6, 8), (8,), (8, 3), (3,))]


def descent_of_library(mode="eager", batch=None, **arguments):
    """Returns what one step of SGD with learning rate 1 subtracts."""
    sam = keras_sam.SAM(testing.dense_net(), **arguments)
    sam.compile(
        keras.optimizers.SGD(1.0),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    sam.set_weights(weights())
    sam.train_on_batch(*(batch or data()))
    return [a - b for a, b in zip(weights(), sam.get_weights())]


def descent_of_oracle(direction, descent, *arguments):
    _, gradients = oracle.climb(
        weights(), *data(), DIRECTIONS[direction][1], *arguments
    )
    return DESCENTS[descent][1](gradients)


def assert_close(actual, expected, atol=1e-10):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def check(mode, direction, descent, radius, n, rho=0.3):
    actual = descent_of_library(
        mode,
        rho=rho,
        ascent_steps=n,
        radius=radius,
        direction=DIRECTIONS[direction][0],
        descent=DESCENTS[descent][0],
    )
    assert_close(actual, descent_of_oracle(direction, descent, radius, rho, n))


@pytest.mark.parametrize("n", range(5))
@pytest.mark.parametrize("descent", DESCENTS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_part_and_radius(direction, descent, n):
    for radius in RADII:
        check("eager", direction, descent, radius, n)


@pytest.mark.parametrize("mode", ["graph", "xla"])
@pytest.mark.parametrize(
    ("direction", "descent", "radius"),
    [
        (direction, descent, RADII[number % len(RADII)])
        for number, (direction, descent) in enumerate(
            itertools.product(DIRECTIONS, DESCENTS)
        )
    ],
)
def test_every_part_compiled(mode, direction, descent, radius):
    check(mode, direction, descent, radius, 3)


@pytest.mark.parametrize("radius", RADII)
def test_every_radius_compiled(radius):
    check("xla", "normalized", "mean", radius, 4)


class Backwards(directions.Normalized):
    """Inherits a `factor` that does not fit its `__call__`."""

    def __call__(self, grads, params):
        return [-step for step in super().__call__(grads, params)]


def test_what_is_overridden_counts():
    opposite = descent_of_library(
        rho=0.3, ascent_steps=2, direction=Backwards()
    )
    _, gradients = oracle.climb(
        weights(), *data(), oracle.sam, "split", -0.3, 2
    )
    assert_close(opposite, gradients[-1])


def test_xla_inside_of_a_graph():
    actual = descent_of_library(rho=0.3, ascent_steps=3, xla=True)
    expected = descent_of_oracle("normalized", "last", "split", 0.3, 3)
    assert_close(actual, expected)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_perturbed_variables_alone_move_and_have_the_norm(direction):
    for perturb, moving in (
        ("hidden", (0, 1)),
        ("kernel", (0, 2)),
        (lambda variable: variable.path.startswith("logits/"), (2, 3)),
    ):
        actual = descent_of_library(
            rho=0.3,
            ascent_steps=2,
            perturb=perturb,
            direction=DIRECTIONS[direction][0],
        )
        expected = descent_of_oracle(direction, "last", "split", 0.3, 2, moving)
        assert_close(actual, expected)


@pytest.mark.parametrize("mode", testing.MODES)
@pytest.mark.parametrize("parts", [1, 2, 5, 13])
def test_splits(mode, parts):
    """13 examples: uneven parts, and one example a part."""
    actual = descent_of_library(
        mode, rho=0.3, ascent_steps=2, num_batch_splits=parts
    )
    expected = oracle.m_sharpness(
        weights(), *data(), parts, oracle.sam, "split", 0.3, 2
    )
    assert_close(actual, expected)


def test_steps_of_one_radius_agree():
    """With n = 1 all radii are rho, and `Last` equals `Mean`."""
    steps = [
        descent_of_library(rho=0.3, radius=radius, descent=DESCENTS[descent][0])
        for radius in RADII
        for descent in DESCENTS
    ]
    for step in steps[1:]:
        assert_close(step, steps[0], atol=1e-15)


def test_schedule_of_rho_follows_the_optimizer():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [0, 1], [0.5, 0.25, 0.125]
    )
    sam = keras_sam.SAM(testing.dense_net(), rho=schedule)
    sam.compile(keras.optimizers.SGD(1.0), testing.cross_entropy())
    sam.set_weights(weights())
    expected = weights()
    for rho in (0.5, 0.25, 0.125, 0.125):
        sam.train_on_batch(*data())
        _, gradients = oracle.climb(
            expected, *data(), oracle.sam, "split", rho, 1
        )
        expected = [a - b for a, b in zip(expected, gradients[-1])]
        assert_close(sam.get_weights(), expected)


class Folded(parts.Descent):
    """The sum over the climb, as a fold that does not keep its shape."""

    def start(self, clean):
        return []

    def visit(self, kept, point):
        return vectors.add(kept, point.grads) if kept else point.grads

    def finish(self, clean, kept):
        return kept


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_what_a_fold_keeps_must_keep_its_shape(mode):
    with pytest.raises(ValueError, match="`visit` of .*Folded.* must return"):
        descent_of_library(mode, ascent_steps=2, descent=Folded())


class Summed(Folded):
    def start(self, clean):
        return vectors.zeros(clean.grads)


@pytest.mark.parametrize("mode", testing.MODES)
def test_a_fold_of_a_user(mode):
    actual = descent_of_library(mode, rho=0.3, ascent_steps=3, descent=Summed())
    _, gradients = oracle.climb(weights(), *data(), oracle.sam, "split", 0.3, 3)
    expected = [sum(of_variable) for of_variable in zip(*gradients[1:])]
    assert_close(actual, expected)


# To first order in rho, a climb measures the loss at some distance along g_0.


def evaluations(**arguments):
    """Returns how often a step calls the model."""
    calls = []

    class Counter(keras.layers.Layer):
        def call(self, inputs):
            calls.append(inputs)
            return inputs

    net = keras.Sequential([testing.dense_net(), Counter()])
    sam = keras_sam.SAM(net, **arguments)
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    sam.train_on_batch(*data())
    calls.clear()
    sam.train_on_batch(*data())
    return len(calls)


def test_equal_samples_share_their_gradients():
    """Two equal choices, as of a loaded model, are one choice."""
    ascent, descent, other = (samples.Largest(f) for f in (0.5, 0.5, 0.25))
    found = {
        seen: evaluations(
            ascent_steps=3, ascent_samples=ascent, descent_samples=seen
        )
        for seen in (descent, other)
    }
    # z_0 on all examples and on the chosen ones, then one or two a step.
    assert found == {descent: 5, other: 7}


def distance_of(radius, descent, n, rho=1e-4):
    """Returns d such that the step is g_0 + d * H g_0 / ||g_0||."""
    step = descent_of_library(
        rho=rho, ascent_steps=n, radius=radius, descent=DESCENTS[descent][0]
    )
    clean = descent_of_library(ascent_steps=0)
    unit = descent_of_library(rho=rho, ascent_steps=1)
    curve = [a - b for a, b in zip(unit, clean)]
    found = [a - b for a, b in zip(step, clean)]
    inner = sum(np.sum(a * b) for a, b in zip(found, curve))
    return inner / sum(np.sum(a**2) for a in curve) * rho


@pytest.mark.parametrize("n", [2, 3, 5])
def test_mean_shrinks_the_radius(n):
    """The mean is at distance rho (n + 1) / (2 n). "matched" undoes this."""
    rho = 1e-4
    shrunk = distance_of("split", "mean", n, rho)
    assert shrunk / rho == pytest.approx((n + 1) / (2 * n), rel=1e-3)
    assert distance_of("split", "last", n, rho) == pytest.approx(rho, rel=1e-3)
    matched = distance_of("matched", "mean", n, rho)
    assert matched == pytest.approx(rho, rel=1e-3)
    full = distance_of("full", "mean", n, rho)
    assert full / rho == pytest.approx((n + 1) / 2, rel=1e-3)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
