"""Directions: formulas, invariances, edge values, config."""

import sys

import numpy as np
import pytest
from keras import ops

from keras_sam import directions
from tests.support import oracle


def fisher(g, w):
    """arXiv:2206.04920: F^-1 g / sqrt(g F^-1 g) with F = 1 + eta g^2."""
    scaled = [a / (1 + 0.5 * a**2) for a in g]
    return [
        b / np.sqrt(sum(np.sum(a * b) for a, b in zip(g, scaled)))
        for b in scaled
    ]


ALL = {
    directions.Normalized(): oracle.sam,
    directions.Unnormalized(): oracle.usam,
    directions.Adaptive(): oracle.asam,
    directions.Adaptive(eta=0.5): lambda g, w: oracle.asam(g, w, eta=0.5),
    directions.Layerwise(): oracle.layerwise,
    directions.Fisher(eta=0.5): fisher,
}


def vectors(seed=0, dtype="float64"):
    """Returns (arrays, tensors) of a gradient and of a point."""
    random = np.random.RandomState(seed)
    shapes = ((3, 2), (4,), ())
    g, w = ([random.normal(size=s) for s in shapes] for _ in range(2))
    return (g, w), [
        [ops.convert_to_tensor(a, dtype) for a in vector] for vector in (g, w)
    ]


def assert_equal(actual, expected, rtol=1e-12):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol)


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_formula(direction):
    arrays, tensors = vectors()
    assert_equal(direction(*tensors), ALL[direction](*arrays))


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_points_up(direction):
    (g, _), tensors = vectors(seed=3)
    inner = sum(
        np.sum(a * np.asarray(b))
        for a, b in zip(g, direction(*tensors), strict=True)
    )
    assert inner > 0


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_zero_gradient_gives_no_step(direction):
    _, (g, w) = vectors()
    for step in direction([0 * a for a in g], w):
        np.testing.assert_array_equal(step, np.zeros(step.shape))


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_a_gradient_that_is_not_a_number_stays_visible(direction):
    _, (g, w) = vectors()
    g[0] = g[0] * np.nan
    assert np.isnan(direction(g, w)[0]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("direction", ALL, ids=str)
def test_dtypes_and_shapes_are_kept(direction, dtype):
    _, (g, w) = vectors(dtype=dtype)
    for step, param in zip(direction(g, w), w, strict=True):
        assert step.dtype == param.dtype
        assert step.shape == param.shape


@pytest.mark.parametrize(
    "direction",
    [
        d
        for d in ALL
        if not isinstance(d, (directions.Unnormalized, directions.Fisher))
    ],
    ids=str,
)
def test_scale_of_the_gradient_does_not_matter(direction):
    _, (g, w) = vectors()
    assert_equal(direction([8.0 * a for a in g], w), direction(g, w))


def test_length_of_a_step():
    _, (g, w) = vectors()
    assert oracle.length(directions.Normalized()(g, w)) == pytest.approx(1.0)
    eta = 0.1
    metric = [
        np.asarray(step) / (np.abs(a) + eta)
        for step, a in zip(directions.Adaptive(eta)(g, w), w, strict=True)
    ]
    assert oracle.length(metric) == pytest.approx(1.0)
    for step, a in zip(directions.Layerwise()(g, w), w, strict=True):
        assert oracle.length([step]) == pytest.approx(oracle.length([a]))


def test_adaptive_follows_a_rescaling_of_layers():
    """With eta = 0: weights times a, gradients over a, steps times a."""
    _, (g, w) = vectors()
    factors = (4.0, 0.25, 2.0)
    step = directions.Adaptive(eta=0.0)
    rescaled = step(
        [a / f for a, f in zip(g, factors, strict=True)],
        [a * f for a, f in zip(w, factors, strict=True)],
    )
    expected = [a * f for a, f in zip(step(g, w), factors, strict=True)]
    assert_equal(rescaled, expected)


def test_layerwise_leaves_zero_weights_alone():
    _, (g, w) = vectors()
    w[1] = 0 * w[1]
    np.testing.assert_array_equal(directions.Layerwise()(g, w)[1], np.zeros(4))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
