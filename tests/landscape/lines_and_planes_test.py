"""Lines and planes through the weights, and the plane of a climb."""

import itertools
import json
import sys

import keras
import numpy as np
import pytest

from keras_sam import directions
from keras_sam import landscape
from tests.support import oracle
from tests.support import surfaces
from tests.support import testing

HESSIAN = np.array([[4.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 1.0]])
W = np.array([1.0, -2.0, 0.5])
SLOPES = np.arange(15.0).reshape(5, 3) / 10
A, B = np.array([1.0, 0.5, 0.0]), np.array([0.0, -1.0, 2.0])


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def quadratic(**arguments):
    return surfaces.quadratic(HESSIAN, W, SLOPES, batch_size=2, **arguments)


def loss(w, slopes=SLOPES):
    return w @ HESSIAN @ w / 2 + slopes.mean(axis=0) @ w


def test_line_over_a_quadratic():
    result = landscape.line(quadratic(), [A], coordinates=[-2.0, 0.0, 0.7])
    np.testing.assert_allclose(
        result.losses, [loss(W + c * A) for c in (-2.0, 0.0, 0.7)], rtol=1e-12
    )
    np.testing.assert_array_equal(result.coordinates, [-2.0, 0.0, 0.7])
    assert result.length == pytest.approx(np.linalg.norm(A), rel=1e-12)
    assert result.complete


def test_plane_over_a_quadratic():
    """Rows are y, columns x."""
    x, y = [-1.0, 0.0, 0.5], [0.0, 2.0]
    result = landscape.plane(quadratic(), ([A], [B]), x=x, y=y)
    expected = [[loss(W + a * A + b * B) for a in x] for b in y]
    np.testing.assert_allclose(result.losses, expected, rtol=1e-12)
    np.testing.assert_allclose(
        result.lengths, [np.linalg.norm(A), np.linalg.norm(B)], rtol=1e-12
    )


def test_default_directions_are_random_and_filter_normalized():
    net = surfaces.net()
    for seed in (0, 3):
        result = landscape.line(net, coordinates=[0.5], seed=seed)
        expected = landscape.line(
            net,
            landscape.filter_normalized(net, seed),
            coordinates=[0.5],
        )
        np.testing.assert_array_equal(result.losses, expected.losses)
    result = landscape.plane(net, x=[0.1], y=[0.2, 0.3], seed=3)
    expected = landscape.plane(
        net,
        [landscape.filter_normalized(net, seed) for seed in (3, 4)],
        x=[0.1],
        y=[0.2, 0.3],
    )
    np.testing.assert_array_equal(result.losses, expected.losses)


def test_the_default_grid():
    result = landscape.line(quadratic(), [A])
    np.testing.assert_array_equal(result.coordinates, np.linspace(-1, 1, 51))
    assert result.losses[25] == pytest.approx(loss(W), rel=1e-12)


def test_a_loss_that_is_not_finite_is_infinite():
    with np.errstate(over="ignore"):
        result = landscape.line(quadratic(), [A], coordinates=[0.0, 1e200])
    assert result.losses[1] == np.inf
    assert result.complete
    assert json.loads(json.dumps(result.to_dict()))["losses"][1] is None


def test_interrupted_planes_are_filled_so_far():
    def stop(done, total):
        assert total == 6
        return done == 4

    result = landscape.plane(
        quadratic(), ([A], [B]), x=[0.0, 1.0, 2.0], y=[0.0, 1.0], progress=stop
    )
    assert not result.complete
    np.testing.assert_array_equal(
        np.isnan(result.losses), [[False] * 3, [False, True, True]]
    )


# The plane of a climb.


def climb(x, y, radius, n, rho=0.5):
    """Returns w, z_1, ..., z_n and the one step as flat vectors."""
    w = surfaces.weights()
    points, _ = oracle.climb(w, x, y, oracle.sam, radius, rho, n)
    (_, once), _ = oracle.climb(w, x, y, oracle.sam, "full", rho, 1)
    return [np.concatenate([np.ravel(a) for a in z]) for z in (*points, once)]


def at(vector):
    """Returns a flat vector as weights."""
    shapes = [w.shape for w in surfaces.weights()]
    ends = np.cumsum([int(np.prod(s)) for s in shapes])
    return [a.reshape(s) for a, s in zip(np.split(vector, ends[:-1]), shapes)]


@pytest.mark.parametrize("radius", ["split", "full", "projected"])
@pytest.mark.parametrize("batch", [None, 1])
def test_ascent_plane_is_that_of_the_oracle(batch, radius):
    rho, n = 0.5, 4
    x, y = surfaces.data() if batch is None else surfaces.parts(5)[batch]
    w, *path, once = climb(x, y, radius, n)
    e_1 = (once - w) / rho
    rest = path[-1] - w - (path[-1] - w) @ e_1 * e_1
    e_2 = rest / np.linalg.norm(rest)
    result = landscape.ascent_plane(
        surfaces.net(batch_size=5),
        rho,
        ascent_steps=n,
        radius=radius,
        batch=batch,
        x=[0.0, 1.0],
        y=[0.0, 0.5],
    )
    assert result.second == "ascent"
    ways = [z - w for z in (w, *path)]
    np.testing.assert_allclose(
        result.path,
        [[d @ e_1 / rho, d @ e_2 / rho] for d in ways],
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        result.off_plane,
        [np.linalg.norm(d - d @ e_1 * e_1 - d @ e_2 * e_2) / rho for d in ways],
        rtol=0,
        atol=1e-9,
    )
    np.testing.assert_allclose(
        [result.distance, result.length, *result.lengths],
        [
            np.linalg.norm(ways[-1]),
            sum(np.linalg.norm(b - a) for a, b in itertools.pairwise(ways)),
            *(rho, rho),
        ],
        rtol=1e-10,
    )
    np.testing.assert_allclose(result.off_plane[[0, 1, n]], 0, atol=1e-12)
    assert result.off_plane[2:n].min() > 1e-4
    np.testing.assert_allclose(result.one_step, [1, 0], atol=1e-12)
    np.testing.assert_allclose(
        [*result.path_losses, result.one_step_loss],
        [oracle.loss(at(z), x, y) for z in (w, *path, once)],
        rtol=1e-10,
    )
    np.testing.assert_allclose(
        result.losses,
        [
            [
                oracle.loss(at(w + rho * (a * e_1 + b * e_2)), x, y)
                for a in (0.0, 1.0)
            ]
            for b in (0.0, 0.5)
        ],
        rtol=1e-9,
    )


def test_the_default_grid_holds_the_climb():
    result = landscape.ascent_plane(
        surfaces.net(), 0.5, radius="full", progress=lambda done, total: True
    )
    assert result.losses.shape == (25, 25)
    assert not result.complete
    for axis, values in enumerate((result.x, result.y)):
        assert values[0] <= result.path[:, axis].min() - 0.5
        assert values[-1] >= result.path[:, axis].max() + 0.5


@pytest.mark.parametrize("perturb", [None, "^hidden/"])
def test_one_step_has_a_random_second_axis(perturb):
    result, again, other = (
        landscape.ascent_plane(
            surfaces.net(),
            0.5,
            ascent_steps=1,
            perturb=perturb,
            x=[0.0],
            y=[0.0, 1.0],
            seed=seed,
        )
        for seed in (0, 0, 1)
    )
    assert result.second == "random"
    np.testing.assert_allclose(result.path, [[0, 0], [1, 0]], atol=1e-12)
    np.testing.assert_array_equal(result.losses, again.losses)
    assert result.losses[1] != other.losses[1]


def test_a_random_axis_is_over_the_perturbed_variables():
    net = surfaces.net()
    evaluations = []
    loss = net.loss
    net.loss = lambda params: evaluations.append(params) or loss(params)
    landscape.ascent_plane(
        net, 0.5, ascent_steps=1, perturb="^hidden/", x=[0.0], y=[1.0]
    )
    *hidden, kernel, bias = (
        np.any(np.array(a) != np.array(b))
        for a, b in zip(evaluations[-1], net.params, strict=True)
    )
    assert all(hidden)
    assert not kernel and not bias


@pytest.mark.parametrize("floats", ["float32", "float64"])
def test_a_straight_climb_has_one_too(floats):
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)
    net = surfaces.quadratic(np.eye(2), [0.6, 0.8], np.zeros((3, 2)))
    assert net.params[0].dtype == floats
    result = landscape.ascent_plane(net, 0.3, x=[0.0], y=[1.0])
    assert result.second == "random"
    # On a bowl, rho away from w, orthogonal to w, which has length 1.
    np.testing.assert_allclose(result.losses, (1 + 0.09) / 2, rtol=1e-6)


def test_the_first_axis_is_the_first_step_and_not_the_gradient():
    result = landscape.ascent_plane(
        quadratic(),
        0.3,
        ascent_steps=2,
        direction=directions.Adaptive(),
        x=[1.0],
        y=[0.0],
    )
    x, y = result.one_step
    assert x > 0
    assert y == pytest.approx(0, abs=1e-12)
    assert result.path[1] == pytest.approx([x / 2, 0], abs=1e-12)


def test_results_become_json():
    result = landscape.ascent_plane(quadratic(), 0.3, x=[0.0], y=[0.0, 1.0])
    read = json.loads(json.dumps(result.to_dict()))
    np.testing.assert_array_equal(read["path"], result.path)
    assert read["losses"][0] == [pytest.approx(loss(W))]


# Bad input.


@pytest.mark.parametrize(
    ("function", "arguments", "error", "match"),
    [
        (landscape.line, {"direction": [A[:2]]}, ValueError, "shaped like"),
        (landscape.line, {"direction": [A, A]}, ValueError, "shaped like"),
        (landscape.line, {"coordinates": [np.nan]}, ValueError, "coordinates"),
        (landscape.line, {"coordinates": []}, ValueError, "coordinates"),
        (landscape.line, {"seed": -1}, ValueError, "seed"),
        (landscape.plane, {"x": [[0.0]]}, ValueError, "`x`"),
        (landscape.plane, {"y": [np.inf]}, ValueError, "`y`"),
        (landscape.plane, {"directions": [[A]]}, ValueError, "pair"),
        (landscape.ascent_plane, {"rho": 0.0}, ValueError, "rho"),
        (landscape.ascent_plane, {"ascent_steps": 0}, ValueError, "steps"),
        (landscape.ascent_plane, {"batch": 3}, IndexError, "3, of 3"),
        (landscape.ascent_plane, {"batch": -1}, ValueError, "batch"),
    ],
)
def test_bad_arguments(function, arguments, error, match):
    with pytest.raises(error, match=match):
        function(quadratic(), **arguments)


def test_a_metric_on_some_variables():
    """On all data as on their only batch."""
    net = surfaces.net(batch_size=13)
    given = {"direction": directions.Adaptive(scaled="kernel$"), "x": [0.0]}
    whole = landscape.ascent_plane(net, 0.1, y=[0.0], **given)
    batch = landscape.ascent_plane(net, 0.1, y=[0.0], batch=0, **given)
    np.testing.assert_allclose(whole.path_losses, batch.path_losses, rtol=1e-9)


def test_no_plane_of_a_zero_gradient():
    net = surfaces.quadratic(np.eye(2), [0.0, 0.0], np.zeros((3, 2)))
    with pytest.raises(ValueError, match="gradient is zero"):
        landscape.ascent_plane(net)


def test_the_loss_at_the_weights_must_be_finite():
    with pytest.raises(FloatingPointError):
        landscape.line(quadratic(), [A], params=[W * np.nan])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
