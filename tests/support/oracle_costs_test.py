"""The oracle has known properties of the methods that save cost."""

import sys

import numpy as np
import pytest

from tests.support import oracle
from tests.support import oracle_costs as costs
from tests.support import oracle_descents as descents
from tests.support import oracle_methods as methods
from tests.support import oracle_testing as testing

LR, RHO = testing.LR, testing.RHO

ROWS = [range(13)] * 3


def ones(w):
    return [np.ones_like(a) for a in w]


def test_is_sam():
    w, batches = testing.problem()
    sam = methods.sam(w, batches, LR, RHO)
    for same_as in (
        costs.interval(w, batches, LR, RHO, 1),
        costs.late_phase(w, batches, LR, RHO, 3),
        costs.random_sam(w, batches, LR, RHO, [True] * 3),
        costs.ae_sam(w, batches, LR, RHO, 3, first=-1e9, last=-1e9),
        costs.looksam(w, batches, LR, RHO, period=1),
        costs.k_sam(w, batches, LR, RHO, 13),
        costs.sub_batch(w, batches, LR, RHO, ROWS),
        costs.esam(w, batches, LR, RHO),
        costs.esam(w, batches, LR, RHO, [[1, 1, 1, 1]] * 3, 1.0, 1.0, False),
        costs.sparse_fisher(w, batches, LR, RHO, 0.0, 1, 5),
        costs.sparse_dynamic(w, batches, LR, RHO, ones(w), 1, 0.5, 3, [w] * 3),
    ):
        testing.same(same_as, sam)


def test_is_sgd():
    w, batches = testing.problem()
    sgd = methods.sgd(w, batches, LR)
    testing.same(costs.late_phase(w, batches, LR, RHO, 0), sgd)
    testing.same(costs.random_sam(w, batches, LR, RHO, [False] * 3), sgd)
    testing.same(costs.ae_sam(w, batches, LR, RHO, 3, first=1e9, last=1e9), sgd)
    testing.same(
        costs.esam(w, batches, LR, RHO, [[0, 0, 0, 0]] * 3, 0.5, 1.0, False),
        sgd,
    )
    none = [0 * a for a in w]
    testing.same(
        costs.sparse_dynamic(w, batches, LR, RHO, none, 1, 0.5, 3, [w] * 3), sgd
    )


# Some steps climb, the others do not.


def test_late_phase():
    """It is SGD, and then SAM from where SGD has come to."""
    w, batches = testing.problem(5)
    actual = costs.late_phase(w, batches, LR, RHO, 2)
    sgd = methods.sgd(w, batches[:3], LR)
    testing.same(actual[:3], sgd, 0)
    sam = methods.sam(sgd[-1], batches[3:], LR, RHO)
    testing.same(actual[3:], sam, 1e-15)


def test_interval():
    w, batches = testing.problem(5)
    actual = costs.interval(w, batches, LR, RHO, 2)
    coins = [True, False, True, False, True]
    testing.same(actual, costs.random_sam(w, batches, LR, RHO, coins), 0)
    testing.same(actual[:1], methods.sam(w, batches[:1], LR, RHO))
    testing.same(actual[1:2], methods.sgd(actual[0], batches[1:2], LR))


@pytest.mark.parametrize("decay", [0.3, 0.6, 0.9])
def test_ae_sam(monkeypatch, decay):
    """A decision is 0 or 1 more gradients."""
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(60, size=4)
    points = costs.ae_sam(w, batches, LR, RHO, 60, decay, 0.5, -0.5)
    count = len(visited)
    before = [methods.flat(a) for a in (w, *points[:-1])]
    mean = variance = 0.0
    coins = []
    for t, g in enumerate(testing.clean_gradients(before, batches)):
        s = np.sum(g**2)
        mean = decay * mean + (1 - decay) * s
        variance = decay * variance + (1 - decay) * (s - mean) ** 2
        coins.append(s >= mean + (0.5 - t / 60) * variance**0.5)
    assert coins[0] and not all(coins)
    assert count == 60 + sum(coins)
    same = costs.random_sam(w, batches, LR, RHO, coins)
    testing.same(points, same)


def test_ae_sam_does_not_see_the_scale_of_the_loss(monkeypatch):
    """Ten times the loss and a tenth of lr give the same training."""
    w, batches = testing.problem(30, size=4)
    points = costs.ae_sam(w, batches, LR, RHO, 30)
    gradient = oracle.gradient
    monkeypatch.setattr(
        oracle, "gradient", lambda *a: [10 * b for b in gradient(*a)]
    )
    testing.same(costs.ae_sam(w, batches, LR / 10, RHO, 30), points, 1e-9)


def test_looksam():
    w, batches = testing.problem(4)
    testing.same(
        costs.looksam(w, batches, LR, RHO, 3, alpha=0.0),
        costs.interval(w, batches, LR, RHO, 3),
    )
    points = costs.looksam(w, batches, LR, RHO, 3, alpha=0.7)
    before = [methods.flat(a) for a in (w, *points)]
    batch = methods.Batch(*batches[0], w)
    g0, g1 = descents.two_gradients(before[0], batch, RHO)
    np.testing.assert_allclose(before[0] - before[1], LR * g1)
    clean = testing.clean_gradients(before[:3], batches)
    across = g1 - (g1 @ methods.unit(g0)) * methods.unit(g0)
    for t in (1, 2):
        added = (before[t] - before[t + 1]) / LR - clean[t]
        assert added @ g0 == pytest.approx(0, abs=1e-12)
        assert testing.cosine(added, across) == pytest.approx(1)
        assert methods.norm(added) == pytest.approx(
            0.7 * methods.norm(clean[t])
        )


# Some examples.


def test_largest():
    scores = np.array([1.0, 3.0, 2.0, 3.0, 3.0])
    assert list(costs.largest(scores, 2)) == [1, 3]
    assert list(costs.largest(scores, 0)) == []


@pytest.mark.parametrize("k", [1, 4])
def test_k_sam(k):
    w, [(x, y)] = testing.problem(1)
    rows = np.argsort(methods.losses(w, x, y))[-k:]
    actual = testing.descent(costs.k_sam, w, (x, y), RHO, k)
    expected = testing.descent(methods.sam, w, (x[rows], y[rows]), RHO)
    np.testing.assert_allclose(actual, expected, atol=1e-13)


def test_sub_batch(monkeypatch):
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    costs.sub_batch(w, [(x, y)], LR, RHO, [[2, 5, 7]])
    (e,) = testing.perturbations(visited)
    part = (x[[2, 5, 7]], y[[2, 5, 7]])
    (g,) = testing.clean_gradients(visited[:1], [part])
    assert methods.norm(e) == pytest.approx(RHO)
    assert testing.cosine(e, g) == pytest.approx(1)


@pytest.mark.parametrize("masked_norm", [True, False])
def test_esam_moves_some_weights(monkeypatch, masked_norm):
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    costs.esam(w, [(x, y)], LR, RHO, [[1, 0, 0, 1]], 0.5, 1.0, masked_norm)
    (e,) = testing.perturbations(visited)
    (g,) = testing.clean_gradients(visited[:1], [(x, y)])
    if masked_norm:
        on = methods.unit(np.where(e == 0, 0, g))
        np.testing.assert_allclose(e, 2 * RHO * on, atol=1e-15)
        assert methods.norm(e) == pytest.approx(2 * RHO)
    else:
        on = np.where(e == 0, 0, methods.unit(g))
        np.testing.assert_allclose(e, 2 * RHO * on, atol=1e-15)
    arrays = methods.Batch(x, y, w).arrays(e)
    assert [bool(np.any(a)) for a in arrays] == [True, False, False, True]


@pytest.mark.parametrize(("gamma", "count"), [(0.01, 1), (0.5, 6), (0.6, 8)])
def test_esam_descends_on_some_examples(monkeypatch, gamma, count):
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    actual = testing.descent(costs.esam, w, (x, y), RHO, gamma=gamma)
    batch = methods.Batch(x, y, w)
    z = visited[1]
    rise = batch.losses(z) - batch.losses(methods.flat(w))
    rows = np.argsort(rise)[-count:]
    np.testing.assert_allclose(actual, batch.gradient(z, rows), atol=1e-14)


# Some weights.


def test_sparse_fisher_adds_up_steps(monkeypatch):
    """The mask of step 3 is that of the sum of F at steps 0, 1 and 2."""
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(4)
    points = costs.sparse_fisher(w, batches, LR, RHO, 0.9, 3, 5, measured=3)
    *feet, foot = map(methods.flat, [w, *points[:3]])
    e, total = visited[-1] - foot, 0
    for (x, y), at in zip(batches, feet):
        b = methods.Batch(x, y, w)
        total += np.mean([b.gradient(at, [i]) ** 2 for i in range(5)], axis=0)
    kept = np.flatnonzero(e)
    assert kept.size == round(0.1 * foot.size)
    assert total[kept].min() > np.delete(total, kept).max()


def test_sparse_fisher(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    size = methods.flat(w).size
    costs.sparse_fisher(w, batches, LR, RHO, 0.9, 2, samples=5)
    visited.clear()
    # Long periods leave the passes of single examples at t = 0 alone.
    points = costs.sparse_fisher(w, batches, LR, RHO, 0.9, 9, samples=5)
    assert len(visited) == 2 * 3 + 5
    sam = methods.sam(w, batches, LR, RHO)
    testing.same(points[:1], sam[:1])  # The mask is all ones until then.
    x, y = batches[0]
    batch = methods.Batch(x, y, w)
    f = [batch.gradient(methods.flat(w), [i]) ** 2 for i in range(5)]
    kept = np.argsort(np.sum(f, axis=0))[-round(0.1 * size) :]
    before = methods.flat(points[0])
    second = methods.Batch(*batches[1], w)
    g = second.gradient(before)
    e = np.zeros(size)
    e[kept] = RHO * methods.unit(g)[kept]
    expected = before - LR * second.gradient(before + e)
    np.testing.assert_allclose(methods.flat(points[1]), expected)


def test_drop_and_grow():
    mask = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    g = np.array([-5.0, 1.0, 3.0, -2.0, 9.0, 9.0, 9.0])
    uniform = np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.8, 0.3])

    def after(fraction):
        return list(costs.drop_and_grow(mask, g, fraction, uniform))

    assert after(0.0) == list(mask)
    assert after(0.25) == [1, 0, 1, 1, 0, 1, 0]
    assert after(0.5) == [1, 0, 1, 0, 0, 1, 1]
    assert after(1.0) == [1, 0, 0, 0, 1, 1, 1]  # No more are inactive.


def test_sparse_dynamic(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem(4)
    random = np.random.RandomState(5)
    uniform = [[random.uniform(size=a.shape) for a in w] for _ in range(4)]
    size = methods.flat(w).size
    first = costs.mask_of(random.permutation(size)[:30], size)
    mask = methods.Batch(*batches[0], w).arrays(first)
    costs.sparse_dynamic(w, batches, LR, RHO, mask, 2, 0.5, 4, uniform)
    e = testing.perturbations(visited)
    g = testing.clean_gradients(visited[::2], batches)
    masks = [(a != 0).astype(float) for a in e]
    for a, b, m in zip(e, g, masks):
        assert m.sum() == 30
        np.testing.assert_allclose(a, RHO * m * methods.unit(b), atol=1e-15)
    np.testing.assert_array_equal(masks[0], first)
    # At t = 0 half of 30 are exchanged, at t = 2 a quarter, rounded to 8.
    np.testing.assert_array_equal(
        masks[1],
        costs.drop_and_grow(first, g[0], 0.5, methods.flat(uniform[0])),
    )
    np.testing.assert_array_equal(masks[2], masks[1])
    assert np.sum((masks[1] == 1) & (masks[0] == 0)) == 15
    assert np.sum((masks[3] == 1) & (masks[2] == 0)) == 8


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
