"""Statistics of a climb, against the oracle's climb and closed forms."""

import dataclasses
import json
import sys

import keras
import numpy as np
import pytest

from keras_sam import descents
from keras_sam import directions
from keras_sam import landscape
from tests.support import oracle
from tests.support import surfaces
from tests.support import testing

SIZES = (5, 5, 3)


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def statistics(w, x, y, step, radius, rho, n, descent):
    """Returns the statistics on one batch, from their definitions."""
    points, g = oracle.climb(w, x, y, step, radius, rho, n)
    away = [b - a for a, b in zip(w, points[-1])]
    steps = [
        oracle.length([b - a for a, b in zip(*pair)])
        for pair in zip(points, points[1:])
    ]
    return {
        "losses": [oracle.loss(z, x, y) for z in points],
        "gradient_norms": [oracle.length(a) for a in g],
        "cosines_to_previous": [surfaces.cosine(*p) for p in zip(g, g[1:])],
        "cosines_to_first": [surfaces.cosine(g[0], a) for a in g[1:]],
        "cosine_to_displacement": surfaces.cosine(g[0], away),
        "cosine_to_mean": surfaces.cosine(g[-1], oracle.mean(g)),
        "distance": oracle.length(away),
        "length": sum(steps),
        "straightness": oracle.length(away) / sum(steps),
        "descent_ratio": oracle.length(descent(g)) / oracle.length(g[0]),
    }


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    ("radius", "direction", "descent"),
    [
        (
            "split",
            (directions.Normalized(), oracle.sam),
            (descents.Last(), oracle.last),
        ),
        (
            "projected",
            (directions.Normalized(), oracle.sam),
            (descents.Mean(), oracle.mean),
        ),
        (
            "full",
            (directions.Adaptive(), oracle.asam),
            (descents.Penalized(0.0), lambda g: g[0]),
        ),
        (
            "matched",
            (directions.Unnormalized(), oracle.usam),
            (lambda clean, path: clean.grads, lambda g: g[0]),
        ),
    ],
)
def test_statistics_are_those_of_the_oracle(radius, direction, descent, xla):
    rho, n, w = 0.5, 3, surfaces.weights()
    result = landscape.path(
        surfaces.net(batch_size=5, xla=xla),
        rho,
        ascent_steps=n,
        radius=radius,
        direction=direction[0],
        descent=descent[0],
    )
    expected = [
        statistics(w, x, y, direction[1], radius, rho, n, descent[1])
        for x, y in surfaces.parts(5)
    ]
    mean, deviation = result.mean(), result.deviation()
    assert mean.keys() == deviation.keys() == expected[0].keys()
    for name in mean:
        values = np.array([batch[name] for batch in expected])
        np.testing.assert_allclose(
            getattr(result, name), values, rtol=1e-10, err_msg=name
        )
        average = np.average(values, axis=0, weights=SIZES)
        np.testing.assert_allclose(mean[name], average, rtol=1e-10)
        spread = np.average((values - average) ** 2, axis=0, weights=SIZES)
        np.testing.assert_allclose(
            deviation[name], np.sqrt(spread), rtol=1e-6, atol=1e-8
        )


def test_a_straight_climb():
    """On a bowl all gradients point along the weights."""
    net = surfaces.quadratic(np.eye(2), [1.0, 0.0], np.zeros((3, 2)))
    result = landscape.path(net, 0.3, ascent_steps=3)
    np.testing.assert_allclose(result.gradient_norms, [[1, 1.1, 1.2, 1.3]])
    np.testing.assert_allclose(result.distance, 0.3, rtol=1e-12)
    for name in (
        "cosines_to_previous",
        "cosines_to_first",
        "cosine_to_displacement",
        "cosine_to_mean",
        "straightness",
    ):
        np.testing.assert_allclose(getattr(result, name), 1.0, rtol=1e-12)
    np.testing.assert_allclose(result.descent_ratio, 1.3, rtol=1e-12)


def test_decoupled_descent_is_the_sum():
    """g_0 + alpha (g_n - g_0): with alpha = 1 it is g_n."""
    net = surfaces.net()
    last = landscape.path(net, 0.3)
    sum_ = landscape.path(net, 0.3, descent=descents.Decoupled(1.0))
    np.testing.assert_allclose(
        last.descent_ratio, sum_.descent_ratio, rtol=1e-12
    )


@pytest.mark.parametrize(
    "descent", [descents.Tilted(1.0, 2), descents.Mirrored(2)]
)
def test_descents_that_climb_again(descent):
    """The climbs are alike, so one climb is the same."""
    net = surfaces.net()
    several = landscape.path(net, 0.1, descent=descent)
    once = dataclasses.replace(descent, climbs=1)
    one = landscape.path(net, 0.1, descent=once)
    np.testing.assert_allclose(
        several.descent_ratio, one.descent_ratio, rtol=1e-10
    )


def test_descents_with_context():
    result = landscape.path(
        surfaces.net(), 0.3, descent=descents.SearchedSlerp()
    )
    assert np.isfinite(result.descent_ratio).all()


def test_zero_gradients_give_zeros():
    net = surfaces.quadratic(np.eye(2), [0.0, 0.0], np.zeros((3, 2)))
    result = landscape.path(net, 0.3)
    for name, mean in result.mean().items():
        np.testing.assert_array_equal(mean, 0.0, err_msg=name)


def test_tiny_gradients_have_cosines():
    """In float32, at the length 1e-15."""
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    net = surfaces.quadratic(1e-15 * np.eye(2), [1.0, 0.0], np.zeros((3, 2)))
    assert net.params[0].dtype == "float32"
    result = landscape.path(net, 0.3)
    np.testing.assert_allclose(result.cosines_to_first, 1.0, rtol=1e-6)
    np.testing.assert_allclose(result.cosine_to_mean, 1.0, rtol=1e-6)


def test_results_become_json():
    result = landscape.path(surfaces.net(batch_size=5), ascent_steps=2)
    read = json.loads(json.dumps(result.to_dict()))
    for name in result.mean():
        np.testing.assert_array_equal(read[name], getattr(result, name))
    assert read["sizes"] == [5, 5, 3]


def test_interrupted_statistics_are_those_of_the_batches_so_far():
    net = surfaces.net(batch_size=5)
    whole = landscape.path(net)
    result = landscape.path(net, progress=lambda done, total: done == 2)
    assert whole.complete
    assert not result.complete
    for name in (*whole.mean(), "sizes"):
        np.testing.assert_array_equal(
            getattr(result, name), getattr(whole, name)[:2]
        )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"rho": 0.0}, ValueError),
        ({"ascent_steps": 0}, ValueError),
        ({"radius": "long"}, ValueError),
        ({"descent": descents.Mean}, TypeError),
        ({"descent": None}, TypeError),
        ({"descent": descents.Weighted((0.5, 0.5))}, ValueError),
    ],
)
def test_bad_arguments(arguments, error):
    with pytest.raises(error):
        landscape.path(surfaces.net(), **arguments)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
