"""A descent may climb several times: `context.climb`."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import descents
from keras_sam import directions
from keras_sam import parts
from keras_sam import vectors
from tests.support import engine
from tests.support import testing


class Twice(parts.Descent):
    """The mean over two climbs; notes the ends of both."""

    def __init__(self):
        self.ends = []

    def __call__(self, clean, path, *, context):
        ends = [parts.last(clean, p) for p in (path, context.climb())]
        self.ends.append([point.params for point in ends])
        return vectors.scale(0.5, vectors.add(ends[0].grads, ends[1].grads))


def trained(mode="eager", steps=2, optimizer=None, **arguments):
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(testing.dense_net(), rho=0.1, **arguments)
    sam.compile(
        optimizer or keras.optimizers.SGD(0.5),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    for seed in range(steps):
        sam.train_on_batch(*testing.data(8, seed=seed))
    return sam


def assert_equal(first, second, atol=0.0):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize(
    "direction", [directions.Normalized(), testing.Averaged()]
)
def test_the_same_climb_without_random_draws(direction):
    """Also of a direction with a memory, which only the first climb changes."""
    arguments = {"direction": direction, "ascent_steps": 2}
    twice = Twice()
    sam = trained(descent=twice, **arguments)
    for first, second in twice.ends:
        assert_equal(first, second)
    assert_equal(
        [v.numpy() for v in sam.variables],
        [v.numpy() for v in trained(**arguments).variables],
    )


def test_other_draws_in_each_climb_and_each_step():
    twice = Twice()
    trained(descent=twice, direction=directions.Random(scaled=False))
    kernels = [
        ops.convert_to_numpy(ends[0]) for step in twice.ends for ends in step
    ]
    weights = [k.ravel()[0] for k in kernels]
    assert len(set(weights)) == 4


@pytest.mark.parametrize("mode", testing.MODES)
def test_mirrored_is_a_curvature_regularized(mode):
    """Whose weights leave the mean of both sides."""
    expected = trained(mode, descent=descents.CurvatureRegularized(0.0, -0.5))
    found = trained(mode, descent=descents.Mirrored())
    assert_equal(expected.get_weights(), found.get_weights(), 1e-6)


@pytest.mark.parametrize("mode", testing.MODES)
def test_tilted_with_one_climb_is_the_last_gradient(mode):
    expected = trained(mode, ascent_steps=2)
    found = trained(mode, ascent_steps=2, descent=descents.Tilted(9.0, 1))
    assert_equal(expected.get_weights(), found.get_weights())


def test_tilted_without_a_tilt_is_the_mean():
    arguments = {"direction": directions.Random(scaled=False)}
    expected = trained(descent=Twice(), **arguments)
    found = trained(descent=descents.Tilted(0.0, 2), **arguments)
    assert_equal(expected.get_weights(), found.get_weights(), 1e-6)


def test_a_large_tilt_does_not_overflow():
    """`exp(1e9)` does. The highest climb then counts alone."""
    arguments = {"direction": directions.Random(scaled=False)}
    ends = Twice()
    trained(descent=ends, steps=1, **arguments)
    found = trained(descent=descents.Tilted(1e9, 2), steps=1, **arguments)
    assert all(np.isfinite(w).all() for w in found.get_weights())
    keras.utils.set_random_seed(1)
    net = testing.dense_net()
    net.compile(keras.optimizers.SGD(0.5), testing.cross_entropy())
    before, data = net.get_weights(), testing.data(8, seed=0)
    losses = []
    for end in ends.ends[0]:
        net.set_weights([ops.convert_to_numpy(p) for p in end])
        losses.append(net.evaluate(*data, verbose=0))
    net.set_weights(
        [ops.convert_to_numpy(p) for p in ends.ends[0][np.argmax(losses)]]
    )
    moved = net.get_weights()
    net.train_on_batch(*data)
    step = [b - a for a, b in zip(moved, net.get_weights(), strict=True)]
    expected = [w + s for w, s in zip(before, step, strict=True)]
    assert_equal(expected, found.get_weights(), 1e-6)


def test_tilted_needs_one_loss():
    sam = keras_sam.SAM(testing.dense_net(), descent=descents.Tilted(1.0, 1))
    loss = keras.losses.SparseCategoricalCrossentropy(True, reduction=None)
    sam.compile("sgd", loss, run_eagerly=True)
    with pytest.raises(ValueError, match="`Tilted` compares .*shape"):
        sam.train_on_batch(*testing.data(8))


@pytest.mark.parametrize("place", ["splits", "replicas", "synced"])
def test_noise_is_the_same_everywhere(place):
    """So parts of a batch, and replicas, add up to the step of the batch."""
    arguments = {
        "direction": directions.Random(scaled=False),
        "descent": descents.Mirrored(climbs=2),
    }

    def step(**more):
        keras.utils.set_random_seed(1)
        sam = keras_sam.SAM(testing.dense_net(), **arguments, **more)
        sam.compile(keras.optimizers.SGD(0.5), testing.cross_entropy())
        sam.optimizer.build(sam.trainable_variables)
        testing.replicated_step(sam, *testing.data(8))
        return sam.get_weights()

    expected = step()
    if place == "splits":
        found = step(num_batch_splits=2)
    else:
        with engine.two_devices():
            found = step(sync_perturbations=place == "synced")
    assert_equal(expected, found, 1e-6)


def test_only_a_descent_climbs_again():
    def direction(grads, params, *, context):
        next(context.climb())
        return grads

    with pytest.raises(ValueError, match="must be called by a descent"):
        trained(direction=direction)


class Overflowing(parts.Direction):
    """Infinite in all climbs but the first."""

    def __call__(self, grads, params, *, context):
        del params
        draw = context.draws(directions.Random()).uniform([])
        first = trained_draw(context)
        return [ops.where(draw == first, g, np.inf) for g in grads]


def trained_draw(context):
    """Returns what the first climb of the step draws."""
    draws = type(context.draws(directions.Random()))
    name = keras.saving.get_registered_name(directions.Random)
    return draws(name, 0, context.iterations, 0).uniform([])


class Finite(Twice):
    """Descends with the first climb, whatever the second one has met."""

    def __call__(self, clean, path, *, context):
        first = parts.last(clean, path).grads
        for _ in context.climb():
            pass
        return first


@pytest.mark.parametrize("direction", [directions.Normalized(), Overflowing()])
def test_an_overflow_in_any_climb_skips_the_step(direction):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
    sam = trained(
        steps=1, optimizer=optimizer, direction=direction, descent=Finite()
    )
    skipped = isinstance(direction, Overflowing)
    assert int(sam.optimizer.iterations) == (0 if skipped else 1)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
