"""Sharpness, worst and average, against closed forms and the oracle."""

import dataclasses
import json
import sys

import numpy as np
import pytest

from keras_sam import directions
from keras_sam import landscape
from tests.support import oracle
from tests.support import surfaces
from tests.support import testing

HESSIAN = np.array([[4.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 1.0]])
W = np.array([1.0, -2.0, 0.5])
SLOPES = np.array(
    [[1.0, 0.0, 2.0], [0.5, -1.0, 0.0], [3.0, 1.0, 1.0], [0.0, 2.0, -1.0]]
)
SIZES = (3, 1)


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def quadratic(**arguments):
    return surfaces.quadratic(HESSIAN, W, SLOPES, batch_size=3, **arguments)


def gradients():
    """Returns the gradient at W on each batch."""
    return [HESSIAN @ W + s.mean(axis=0) for s in (SLOPES[:3], SLOPES[3:])]


def rise(g, e):
    return g @ e + e @ HESSIAN @ e / 2


def test_one_step_on_a_quadratic():
    """rho ||g|| + rho^2 u H u / 2 on each batch, u = g / ||g||."""
    rho = 0.3
    rises = [rise(g, rho * g / np.linalg.norm(g)) for g in gradients()]
    result = landscape.sharpness(
        quadratic(), rho, ascent_steps=1, radius="full"
    )
    assert min(rises) > 0
    np.testing.assert_allclose(
        result.value, np.average(rises, weights=SIZES), rtol=1e-12
    )
    assert result.one_step == result.value
    assert result.gap == 0
    np.testing.assert_array_equal(result.sizes, SIZES)
    np.testing.assert_allclose(
        result.losses[:, 1] - result.losses[:, 0], rises, rtol=1e-12
    )
    loss = W @ HESSIAN @ W / 2 + SLOPES.mean(axis=0) @ W
    np.testing.assert_allclose(result.loss, loss, rtol=1e-12)


def test_many_projected_steps_find_the_maximum_of_a_quadratic():
    """On the sphere: e = (nu - H)^-1 g with nu above the top eigenvalue."""
    rho, maxima = 0.3, []
    for g in gradients():
        low, high = np.linalg.eigvalsh(HESSIAN)[-1] + 1e-9, 1e4
        for _ in range(200):
            nu = (low + high) / 2
            e = np.linalg.solve(nu * np.eye(3) - HESSIAN, g)
            low, high = (nu, high) if np.linalg.norm(e) > rho else (low, nu)
        maxima.append(rise(g, e))
    result = landscape.sharpness(
        quadratic(), rho, ascent_steps=60, radius="projected"
    )
    np.testing.assert_allclose(
        result.value, np.average(maxima, weights=SIZES), rtol=1e-6
    )
    assert result.gap > 0


def test_adaptive_sharpness_is_that_of_the_ellipsoid():
    """In u = e / T, T = |w| + eta, it is the Euclidean one of T H T, T g."""
    eta = 0.1
    metric = np.abs(W) + eta
    inner = surfaces.quadratic(
        HESSIAN * np.outer(metric, metric),
        np.zeros(3),
        np.outer(np.ones(4), metric * (HESSIAN @ W)) + SLOPES * metric,
        batch_size=3,
    )
    for radius in ("split", "full", "projected"):
        expected = landscape.sharpness(
            inner, 0.2, ascent_steps=5, radius=radius, fraction=0.5
        )
        actual = landscape.sharpness(
            quadratic(),
            0.2,
            ascent_steps=5,
            radius=radius,
            fraction=0.5,
            direction=directions.Adaptive(eta),
        )
        for name in ("value", "one_step", "gap"):
            np.testing.assert_allclose(
                getattr(actual, name), getattr(expected, name), rtol=1e-10
            )


def test_adaptive_sharpness_may_scale_some_variables():
    """Biases have T = 1: z = w + rho T^2 g / ||T g||. So has the path."""
    rho, w = 0.5, surfaces.weights()
    arguments = {
        "ascent_steps": 1,
        "direction": directions.Adaptive(0.1, scaled="kernel$"),
    }
    net = surfaces.net(batch_size=5)
    sharpness = landscape.sharpness(net, rho, **arguments)
    path = landscape.path(net, rho, **arguments)
    metric = [np.abs(a) + 0.1 if a.ndim > 1 else 1.0 for a in w]
    for i, (x, y) in enumerate(surfaces.parts(5)):
        g = oracle.gradient(w, x, y)
        length = oracle.length([t * a for t, a in zip(metric, g)])
        e = [rho * t**2 * a / length for t, a in zip(metric, g)]
        loss = oracle.loss([a + b for a, b in zip(w, e)], x, y)
        for found in (sharpness.one_step_losses[i], path.losses[i, 1]):
            np.testing.assert_allclose(found, loss, rtol=1e-10)


def transcribed(w, x, y, rho, n, length, project):
    """Climbs from w with steps of a length.

    Returns:
        The losses, the distance of the end, and the length of all steps.
    """
    z, losses, travelled = w, [oracle.loss(w, x, y)], 0.0
    for _ in range(n):
        before = z
        u = oracle.sam(oracle.gradient(z, x, y), z)
        z = [a + length * b for a, b in zip(z, u)]
        away = [a - b for a, b in zip(z, w)]
        if project and oracle.length(away) > rho:
            z = [a + rho * b / oracle.length(away) for a, b in zip(w, away)]
        losses.append(oracle.loss(z, x, y))
        travelled += oracle.length([a - b for a, b in zip(z, before)])
    return losses, oracle.length([a - b for a, b in zip(z, w)]), travelled


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    ("radius", "length", "project"),
    [
        ("split", 0.1, False),
        ("full", 0.5, False),
        ("projected", 0.15, True),
        ("matched", 1.0 / 6, False),
    ],
)
def test_losses_are_those_of_the_oracle(radius, length, project, xla):
    rho, n, w = 0.5, 5, surfaces.weights()
    result = landscape.sharpness(
        surfaces.net(batch_size=5, xla=xla),
        rho,
        ascent_steps=n,
        radius=radius,
        fraction=0.3,
    )
    expected, distances, lengths = zip(
        *(
            transcribed(w, x, y, rho, n, length, project)
            for x, y in surfaces.parts(5)
        )
    )
    np.testing.assert_allclose(result.losses, expected, rtol=1e-10)
    np.testing.assert_allclose(result.distance, distances, rtol=1e-10)
    np.testing.assert_allclose(result.length, lengths, rtol=1e-10)
    once = [
        transcribed(w, x, y, rho, 1, rho, 0)[0] for x, y in surfaces.parts(5)
    ]
    np.testing.assert_allclose(
        result.one_step_losses, [b for _, b in once], rtol=1e-10
    )
    clean = np.array(expected)[:, 0]
    np.testing.assert_allclose(
        result.value,
        np.average(np.max(expected, axis=1) - clean, weights=(5, 5, 3)),
        rtol=1e-10,
    )
    assert result.gap == result.value - result.one_step


def test_the_default_climb_reaches_rho():
    """However many steps it has, so more steps do not find less."""
    found = [
        landscape.sharpness(surfaces.net(), 0.01, ascent_steps=n)
        for n in (1, 2, 3, 20)
    ]
    for result in found:
        assert result.radius == "split"
        np.testing.assert_allclose(result.length, 0.01, rtol=1e-6)
        assert result.value > 0.99 * result.one_step


def test_a_climb_that_cannot_reach_rho_warns(recwarn):
    climb = {"radius": "projected", "fraction": 0.25}
    landscape.sharpness(surfaces.net(), 0.1, ascent_steps=4, **climb)
    assert not recwarn.list
    with pytest.warns(UserWarning, match="3` steps .* at most 0.75 rho away"):
        result = landscape.sharpness(
            surfaces.net(), 0.1, ascent_steps=3, **climb
        )
    np.testing.assert_allclose(result.length, 0.075, rtol=1e-6)


def test_adaptive_distance_is_in_the_metric_of_the_ellipsoid():
    result = landscape.sharpness(
        surfaces.net(), 0.1, ascent_steps=3, direction=directions.Adaptive()
    )
    np.testing.assert_allclose(result.length, 0.1, rtol=1e-6)


def test_m_sharpness_is_that_of_batches_of_m():
    whole = landscape.sharpness(surfaces.net(batch_size=13), ascent_steps=1)
    single = landscape.sharpness(surfaces.net(batch_size=1), ascent_steps=1)
    assert single.losses.shape == (13, 2)
    assert single.value > whole.value > 0


def test_sharpness_is_never_negative():
    """On an upside-down bowl a long step crosses the top and descends."""
    result = landscape.sharpness(
        surfaces.quadratic(
            -np.eye(2), [0.1, 0.0], np.zeros((2, 2)), batch_size=1
        ),
        rho=5.0,
        ascent_steps=1,
        radius="full",
    )
    assert (result.one_step_losses < result.losses[:, 0]).all()
    assert result.value == result.one_step == result.gap == 0


@pytest.mark.parametrize(
    "direction",
    [
        directions.Unnormalized(),
        directions.Layerwise(),
        directions.Friendly(),
        directions.Eigen(),
        directions.Random(),
        directions.Sparse(),
    ],
    ids=lambda direction: type(direction).__name__,
)
def test_any_direction(direction):
    result = landscape.sharpness(
        surfaces.net(batch_size=7), 0.1, ascent_steps=2, direction=direction
    )
    assert np.isfinite(result.losses).all()
    assert result.losses.shape == (2, 3)


def test_random_directions_differ_from_batch_to_batch():
    net = surfaces.quadratic(HESSIAN, W, SLOPES[[0, 0]], batch_size=1)
    result = landscape.sharpness(
        net, ascent_steps=1, direction=directions.Random()
    )
    one, two = result.losses
    assert one[0] == two[0]
    assert one[1] != two[1]


def test_only_perturbed_variables_move():
    result = landscape.sharpness(
        surfaces.net(), 0.3, ascent_steps=1, radius="full", perturb="hidden"
    )
    x, y = surfaces.data()
    points, _ = oracle.climb(
        surfaces.weights(), x, y, oracle.sam, "full", 0.3, 1, (0, 1)
    )
    np.testing.assert_allclose(
        result.losses[0], [oracle.loss(z, x, y) for z in points], rtol=1e-10
    )


def test_elsewhere_than_at_the_weights():
    net = surfaces.net()
    w = surfaces.weights(seed=5)
    result = landscape.sharpness(net, params=w, ascent_steps=1)
    np.testing.assert_allclose(
        result.loss, oracle.loss(w, *surfaces.data()), rtol=1e-12
    )


def test_average_on_a_quadratic():
    """E = rho^2 trace(H) / 2; adaptive: rho^2 sum_i w_i^2 H_ii / 2."""
    for adaptive, trace in (
        (False, np.trace(HESSIAN)),
        (True, np.sum(W**2 * np.diag(HESSIAN))),
    ):
        result = landscape.average_sharpness(
            quadratic(), 0.5, draws=100, adaptive=adaptive, seed=3
        )
        error = abs(result.value - 0.5**2 * trace / 2)
        assert error < 3 * result.standard_error
        rises = result.losses - result.loss
        assert result.value == pytest.approx(rises.mean(), rel=1e-12)
        assert result.standard_error == pytest.approx(
            rises.std(ddof=1) / 10, rel=1e-12
        )


def test_adaptive_noise_is_as_large_as_the_weights():
    net = surfaces.quadratic([[0.0]], [-3.0], [[1.0]])
    plain, adaptive = (
        landscape.average_sharpness(net, draws=3, adaptive=adaptive)
        for adaptive in (False, True)
    )
    np.testing.assert_allclose(
        adaptive.losses - adaptive.loss, 3 * (plain.losses - plain.loss)
    )


def test_the_length_of_noise():
    result = landscape.average_sharpness(quadratic(), 0.5, draws=400, seed=3)
    # The mean square is rho^2 times the number of weights.
    np.testing.assert_allclose(
        np.mean(result.lengths**2), 0.25 * len(W), rtol=0.15
    )


def test_average_draws_are_those_of_the_seed():
    one, two, other = (
        landscape.average_sharpness(quadratic(), draws=3, seed=seed).losses
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert len({*one, *other}) == 6


def test_average_of_one_draw_has_no_error():
    result = landscape.average_sharpness(quadratic(), draws=1)
    assert result.to_dict()["standard_error"] is None


# Progress, interruption, results.


def test_results_become_json():
    result = landscape.sharpness(quadratic(), ascent_steps=1)
    read = json.loads(json.dumps(result.to_dict()))
    assert read.keys() == {f.name for f in dataclasses.fields(result)}
    np.testing.assert_array_equal(read["losses"], result.losses)
    assert read["value"] == result.value
    assert read["complete"] is True


def test_progress_gets_the_numbers_and_may_end_the_work():
    calls = []

    def stop(done, total):
        calls.append((done, total))
        return done == 2

    result = landscape.sharpness(
        surfaces.net(batch_size=2), ascent_steps=1, progress=stop
    )
    assert calls == [(1, 7), (2, 7)]
    assert not result.complete
    np.testing.assert_array_equal(result.sizes, [2, 2])
    calls.clear()
    result = landscape.average_sharpness(quadratic(), draws=2, progress=stop)
    assert result.complete


def test_interruption_keeps_what_is_there():
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    net = surfaces.net(batch_size=2)
    with pytest.warns(UserWarning, match="2 of 7"):
        result = landscape.sharpness(net, ascent_steps=1, progress=interrupt)
    whole = landscape.sharpness(net, ascent_steps=1)
    assert whole.complete
    assert not result.complete
    np.testing.assert_array_equal(result.losses, whole.losses[:2])


def test_interruption_of_nothing_is_one(monkeypatch):
    net = surfaces.net()

    def interrupt(params):
        raise KeyboardInterrupt

    monkeypatch.setattr(net, "batches", lambda: interrupt(None))
    with pytest.raises(KeyboardInterrupt):
        landscape.sharpness(net)


def test_bar(capsys):
    landscape.sharpness(quadratic(), ascent_steps=1, progress=True)
    assert "2/2" in capsys.readouterr().out
    landscape.sharpness(quadratic(), ascent_steps=1)
    assert not capsys.readouterr().out


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"rho": 0}, ValueError),
        ({"rho": -0.1}, ValueError),
        ({"rho": float("nan")}, ValueError),
        ({"rho": "0.1"}, TypeError),
        ({"ascent_steps": 0}, ValueError),
        ({"ascent_steps": 1.5}, TypeError),
        ({"radius": "half"}, ValueError),
        ({"fraction": 0}, ValueError),
        ({"fraction": 1.5}, ValueError),
        ({"direction": directions.Normalized}, TypeError),
        ({"perturb": "nothing"}, ValueError),
        ({"progress": "yes"}, TypeError),
    ],
)
def test_bad_arguments(arguments, error):
    with pytest.raises(error, match="`"):
        landscape.sharpness(quadratic(), **arguments)


@pytest.mark.parametrize(
    "arguments", [{"rho": 0}, {"draws": 0}, {"seed": -1}, {"perturb": "?x"}]
)
def test_bad_arguments_of_the_average(arguments):
    with pytest.raises((ValueError, TypeError)):
        landscape.average_sharpness(quadratic(), **arguments)


def test_zero_gradients():
    """An error if on all batches; on some of them, they are counted."""
    flat = [[0.0, 0.0], [1.0, 0.0]]
    net = surfaces.quadratic(np.eye(2), [0.0, 0.0], flat, batch_size=1)
    result = landscape.sharpness(net, 0.5, ascent_steps=1, radius="full")
    assert result.stuck == 1
    assert result.value == pytest.approx((0 + 0.5 + 0.125) / 2)
    net = surfaces.quadratic(np.eye(2), [0.0, 0.0], flat[:1])
    with pytest.raises(ValueError, match="zero"):
        landscape.sharpness(net)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
