"""The oracle has known properties of the methods that differ in the climb."""

import sys

import numpy as np
import pytest

from tests.support import oracle
from tests.support import oracle_methods as methods
from tests.support import oracle_testing as testing

LR, RHO = testing.LR, testing.RHO

# The common parts.


def test_vectors_and_examples():
    w, [(x, y)] = testing.problem(1)
    batch = methods.Batch(x, y, w)
    vector = methods.flat(w)
    testing.same([batch.arrays(vector)], [w], 0)
    assert np.mean(batch.losses(vector)) == pytest.approx(batch.loss(vector))
    rows = [batch.gradient(vector, [i]) for i in range(len(y))]
    np.testing.assert_allclose(
        np.mean(rows, axis=0), batch.gradient(vector), atol=1e-15
    )
    assert methods.norm(vector) == pytest.approx(oracle.length(w))


def test_sgd_with_momentum():
    w, batches = testing.problem()
    velocity, expected = 0.0, methods.flat(w)
    for x, y in batches:
        g = methods.Batch(x, y, w).gradient(expected)
        velocity = 0.9 * velocity + g
        expected = expected - LR * velocity
    actual = methods.sgd(w, batches, lambda t: LR, momentum=0.9)[-1]
    np.testing.assert_allclose(methods.flat(actual), expected, atol=1e-15)


# Against the other half of the oracle, and against each other.


@pytest.mark.parametrize(
    ("method", "step"),
    [
        (methods.sam, oracle.sam),
        (methods.usam, oracle.usam),
        (methods.asam, oracle.asam),
        (methods.layerwise, oracle.layerwise),
    ],
)
def test_agrees_with_the_climb(method, step):
    w, batches = testing.problem()
    expected, point = [], w
    for x, y in batches:
        _, g = oracle.climb(point, x, y, step, "split", RHO, 1)
        point = [a - LR * b for a, b in zip(point, g[-1])]
        expected.append(point)
    testing.same(method(w, batches, LR, RHO), expected)


def test_is_sam():
    w, batches = testing.problem()
    zero = [[0 * a for a in w]] * 3
    sam = methods.sam(w, batches, LR, RHO)
    testing.same(methods.sam(w, batches, LR, lambda t: RHO), sam, 0)
    testing.same(methods.m_sam(w, batches, LR, RHO, 1), sam)
    testing.same(methods.unified(w, batches, LR, RHO, 1.0), sam)
    testing.same(methods.fisher(w, batches, LR, RHO, eta=0.0), sam)
    testing.same(methods.sam_on(w, batches, LR, RHO, range(4)), sam)
    testing.same(methods.friendly(w, batches, LR, RHO, sigma=0.0), sam)
    testing.same(methods.vasso(w, batches, LR, RHO, theta=1.0), sam)
    smoothed = methods.random_smoothing(w, batches, LR, RHO, zero, 0.1, 2.0)
    testing.same(smoothed, sam)
    testing.same(methods.asam(w, batches, LR, RHO, scaled=()), sam)
    # Nothing is left of the budget's division by ||g||: rho_max is the radius.
    testing.same(methods.le_sam(w, batches, LR, 1e9, RHO), sam)
    # |w| + eta is constant for large eta.
    testing.same(methods.asam(w, batches, LR, RHO / 1e9, eta=1e9), sam, 1e-7)


def test_is_sgd():
    w, batches = testing.problem()
    sgd = methods.sgd(w, batches, LR)
    noise = testing.draws()
    testing.same(methods.sam(w, batches, LR, 0.0), sgd)
    testing.same(methods.sam_on(w, batches, LR, 0.0, [1]), sgd)
    testing.same(methods.random_perturbation(w, batches, LR, 0.0, noise), sgd)
    mixed = methods.mixed_random_perturbation
    testing.same(mixed(w, batches, LR, 0.1, noise, mix=0.0), sgd)
    random = methods.random_perturbation(w, batches, LR, 0.1, noise)
    testing.same(mixed(w, batches, LR, 0.1, noise, mix=1.0), random)


def test_unified_is_usam():
    w, batches = testing.problem()
    usam = methods.usam(w, batches, LR, RHO)
    testing.same(methods.unified(w, batches, LR, RHO, lambda t: 0.0), usam)
    first = methods.sam(w, batches, LR, RHO)[:1]
    schedule = methods.unified(w, batches, LR, RHO, lambda t: 1 / (t + 1))
    testing.same(schedule[:1], first)


@pytest.mark.parametrize("parts", [1, 2, 5, 13])
def test_m_sam(parts):
    w, [(x, y)] = testing.problem(1)
    expected = oracle.m_sharpness(w, x, y, parts, oracle.sam, "split", RHO, 1)
    actual = testing.descent(methods.m_sam, w, (x, y), RHO, parts)
    np.testing.assert_allclose(actual, methods.flat(expected), atol=1e-13)


# Lengths and directions, from the points at which gradients are taken.


def test_sam_climbs_most_to_first_order(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.sam(w, batches, LR, RHO)
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[::2], batches)
    assert methods.norm(e) == pytest.approx(RHO)
    assert g @ e == pytest.approx(RHO * methods.norm(g))


def test_asam_is_on_its_ellipsoid_and_climbs_most(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.asam(w, batches, LR, RHO, eta=0.01)
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[::2], batches)
    scale = np.abs(methods.flat(w)) + 0.01
    assert methods.norm(e / scale) == pytest.approx(RHO)
    for other in np.random.RandomState(2).normal(size=(20, e.size)):
        assert g @ (RHO * scale * methods.unit(other)) < g @ e


def test_asam_leaves_the_metric_of_the_others_alone(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.asam(w, batches, LR, RHO, eta=0.01, scaled=(0, 2))
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[::2], batches)
    b = methods.Batch(*batches[0], w)
    ratios = [p / q for p, q in zip(b.arrays(e), b.arrays(g))]
    for a, ratio, scaled in zip(w, ratios, (True, False, True, False)):
        metric = (np.abs(a) + 0.01) ** 2 if scaled else 1.0
        # One factor for all arrays, rho / ||T g||.
        np.testing.assert_allclose(ratio / metric, ratios[1][0])


def test_fisher_is_on_its_ellipsoid_and_climbs_most(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.fisher(w, batches, LR, RHO, eta=50.0)
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[::2], batches)
    metric = 1 + 50.0 * g**2
    assert e @ (metric * e) == pytest.approx(RHO**2)
    for other in np.random.RandomState(2).normal(size=(20, e.size)):
        assert g @ (RHO * methods.unit(other) / np.sqrt(metric)) < g @ e


@pytest.mark.parametrize(
    ("method", "moving"),
    [(methods.layerwise, (1, 1, 1, 1)), (methods.awp, (1, 0, 1, 0))],
)
def test_lengths_of_layers(monkeypatch, method, moving):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    method(w, batches, LR, 0.1)
    (e,) = testing.perturbations(visited)
    arrays = methods.Batch(*batches[0], w).arrays(e)
    for a, b, moves in zip(w, arrays, moving):
        assert methods.norm(b) == pytest.approx(0.1 * moves * methods.norm(a))


def test_le_sam_raises_the_loss_by_sigma(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    methods.le_sam(w, batches, LR, 1e-6, rho_max=1.0)
    batch = [methods.Batch(x, y, w) for x, y in batches]
    for b, foot, end in zip(batch, visited[::2], visited[1::2]):
        assert b.loss(end) - b.loss(foot) == pytest.approx(1e-6, rel=1e-4)


def test_zsharp_moves_what_stands_out(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.zsharp(w, batches, LR, RHO, quantile=0.75)
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[::2], batches)
    b = methods.Batch(*batches[0], w)
    for a, c in zip(b.arrays(e), b.arrays(g)):
        if a.ndim == 1:
            np.testing.assert_allclose(a, RHO * c / methods.norm(g))
            continue
        assert methods.norm(a) == pytest.approx(RHO)
        moves = a != 0
        # 48 and 24 entries: no quantile of them lies on an entry.
        assert moves.sum() == a.size // 4
        away = np.abs(c - c.mean())
        assert away[moves].min() > away[~moves].max()
        assert (c[moves] / a[moves]).std() == pytest.approx(0, abs=1e-12)


def test_sam_on_moves_some(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    methods.sam_on(w, batches, LR, RHO, [1, 2])
    (e,) = testing.perturbations(visited)
    arrays = methods.Batch(*batches[0], w).arrays(e)
    assert [bool(np.any(a)) for a in arrays] == [False, True, True, False]
    assert methods.norm(e) == pytest.approx(RHO)


def test_friendly_climbs_along_the_noise(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    methods.friendly(w, batches, LR, RHO, sigma=0.7, decay=0.6)
    e = testing.perturbations(visited)
    g = testing.clean_gradients(visited[::2], batches)
    m1 = 0.6 * g[0] + 0.4 * g[1]
    for a, b in zip(e, [g[0], g[1] - 0.7 * g[0], g[2] - 0.7 * m1]):
        assert methods.norm(a) == pytest.approx(RHO)
        assert testing.cosine(a, b) == pytest.approx(1)


def test_friendly_is_the_paper_s_for_sigma_1(monkeypatch):
    """g - m_t, m_t with g in it, has the direction of g - m_{t-1}."""
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    methods.friendly(w, batches, LR, RHO, sigma=1.0, decay=0.6)
    e = testing.perturbations(visited)
    g = testing.clean_gradients(visited[::2], batches)
    m = 0.6 * g[0] + 0.4 * g[1]
    assert testing.cosine(e[1], g[1] - m) == pytest.approx(1)
    assert testing.cosine(e[2], g[2] - (0.6 * m + 0.4 * g[2])) == pytest.approx(
        1
    )


def test_vasso_climbs_along_the_average(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    methods.vasso(w, batches, LR, RHO, theta=0.3)
    e = testing.perturbations(visited)
    g = testing.clean_gradients(visited[::2], batches)
    m = g[0]
    for a, b in zip(e, g):
        m = 0.7 * m + 0.3 * b
        assert methods.norm(a) == pytest.approx(RHO)
        assert testing.cosine(a, m) == pytest.approx(1)


def test_noise_is_of_the_filter_s_scale():
    w, [(x, y)] = testing.problem(1)
    batch = methods.Batch(x, y, w)
    (noise,) = testing.draws(1)
    e = batch.arrays(methods.filter_noise(0.1, noise, methods.flat(w), batch))
    for a, b, c in zip(w, noise, e):
        for j in range(a.shape[-1]) if a.ndim > 1 else [slice(None)]:
            np.testing.assert_allclose(
                c[..., j], 0.1 * methods.norm(a[..., j]) * b[..., j]
            )


def test_random_methods_visit(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(1)
    noise = testing.draws(1)
    methods.random_perturbation(w, batches, LR, 0.1, noise)
    batch = methods.Batch(*batches[0], w)
    xi = methods.filter_noise(0.1, noise[0], methods.flat(w), batch)
    np.testing.assert_allclose(visited[0], methods.flat(w) + xi)
    visited.clear()
    methods.random_smoothing(w, batches, LR, RHO, noise, 0.1, 2.0)
    np.testing.assert_allclose(visited[0], methods.flat(w) + xi)
    (g,) = testing.clean_gradients(visited[:1], batches)
    e = visited[1] - methods.flat(w)
    assert methods.norm(e) == pytest.approx(RHO)
    assert testing.cosine(e, xi + 2.0 * g) == pytest.approx(1)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
