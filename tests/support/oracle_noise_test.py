"""The oracle has known properties of the methods that sample points."""

import sys

import numpy as np
import pytest

from tests.support import oracle_methods as methods
from tests.support import oracle_noise as noisy
from tests.support import oracle_testing as testing

LR = testing.LR


def draws(steps=3, points=2):
    return [testing.draws(points, seed=seed) for seed in range(steps)]


def test_nso_without_noise_is_sgd():
    w, batches = testing.problem()
    sgd = methods.sgd(w, batches, LR)
    testing.same(noisy.noise_stability(w, batches, LR, 0.0, draws()), sgd)


def test_nso_is_a_gradient():
    """Of the mean loss over the points, with the noise held."""
    w, [(x, y)] = testing.problem(1)
    batch, vector = methods.Batch(x, y, w), methods.flat(w)
    (noise,) = draws(1)
    points = [s * 0.1 * methods.flat(n) for n in noise for s in (1, -1)]

    def objective(v):
        return np.mean([batch.loss(v + e) for e in points])

    d = testing.descent(noisy.noise_stability, w, (x, y), 0.1, [noise])
    for v in np.random.RandomState(2).normal(size=(3, d.size)):
        rise = objective(vector + 1e-5 * v) - objective(vector - 1e-5 * v)
        assert d @ v == pytest.approx(rise / 2e-5, abs=1e-8)


def test_nso_does_not_mind_the_sign_of_the_noise():
    w, batches = testing.problem(1)
    (noise,) = draws(1, 1)
    other = [[-a for a in noise[0]]]
    a = noisy.noise_stability(w, batches, LR, 0.1, [noise])
    b = noisy.noise_stability(w, batches, LR, 0.1, [other])
    testing.same(a, b)


def test_arwp_is_rwp_at_first():
    w, batches = testing.problem()
    noise = testing.draws()
    arwp = noisy.adaptive_random_perturbation
    rwp = methods.random_perturbation(w, batches, LR, 0.1, noise)
    testing.same(arwp(w, batches, LR, 0.1, noise, eta=0.0), rwp)
    found = arwp(w, batches, LR, 0.1, noise, eta=5.0)
    testing.same(found[:1], rwp[:1])
    difference = methods.flat(found[1]) - methods.flat(rwp[1])
    assert methods.norm(difference) > 1e-4


def test_m_arwp_is_m_rwp_without_eta():
    w, batches = testing.problem()
    noise = testing.draws()
    found = noisy.adaptive_random_perturbation(
        w, batches, LR, 0.1, noise, eta=0.0, mix=0.3
    )
    mixed = methods.mixed_random_perturbation
    testing.same(found, mixed(w, batches, LR, 0.1, noise, mix=0.3))


def test_arwp_shrinks_where_gradients_were_long(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(2)
    noise = testing.draws(2)
    after = noisy.adaptive_random_perturbation(
        w, batches, LR, 0.1, noise, eta=5.0, decay=0.5
    )
    batch = methods.Batch(*batches[1], w)
    here = methods.flat(after[0])
    e = visited[1] - here
    full = methods.filter_noise(0.1, noise[1], here, batch)
    g = methods.Batch(*batches[0], w).gradient(visited[0])
    ratios = batch.arrays((full / e) ** 2)
    for a, ratio in zip(batch.arrays(g), ratios, strict=True):
        total = (a**2).sum(axis=0) if a.ndim > 1 else a**2
        np.testing.assert_allclose(ratio, 1 + 5.0 * total + 0 * ratio)


def test_tsam_is_sam_from_random_points():
    w, [(x, y)] = testing.problem(1)
    batch, vector = methods.Batch(x, y, w), methods.flat(w)
    (noise,) = draws(1, 1)
    start = vector + 0.5 * methods.unit(methods.flat(noise[0]))
    sam = testing.descent(methods.sam, batch.arrays(start), (x, y), 0.3)
    tsam = noisy.tilted_sam
    for tilt in (0.0, 5.0):
        d = testing.descent(tsam, w, (x, y), 0.3, [noise], tilt, 0.5)
        np.testing.assert_allclose(d, sam, atol=1e-12)


def test_tsam_is_a_gradient(monkeypatch):
    """Of the tilted loss, with the points held."""
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    batch, vector = methods.Batch(x, y, w), methods.flat(w)
    d = testing.descent(noisy.tilted_sam, w, (x, y), 0.3, draws(1, 3), 7.0, 0.5)
    ends = [z - vector for z in visited[-3:]]

    def objective(v):
        return (
            np.log(np.mean(np.exp([7 * batch.loss(v + e) for e in ends]))) / 7
        )

    for v in np.random.RandomState(2).normal(size=(3, d.size)):
        rise = objective(vector + 1e-5 * v) - objective(vector - 1e-5 * v)
        assert d @ v == pytest.approx(rise / 2e-5, abs=1e-7)


def test_tsam_with_a_large_tilt_is_the_worst_point(monkeypatch):
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    batch = methods.Batch(x, y, w)
    d = testing.descent(
        noisy.tilted_sam, w, (x, y), 0.3, draws(1, 3), 200.0, 2.0
    )
    worst = max(visited[-3:], key=batch.loss)
    np.testing.assert_allclose(d, batch.gradient(worst), atol=1e-10)


def test_noise_that_grows():
    std = noisy.growing(0.001, 10, 8)
    assert [std(0), std(4), std(8)] == pytest.approx([0.001, 0.006, 0.011])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
