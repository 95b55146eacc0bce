"""The oracle has known properties of the methods that combine gradients."""

import sys

import numpy as np
import pytest

from tests.support import oracle
from tests.support import oracle_descents as descents
from tests.support import oracle_methods as methods
from tests.support import oracle_testing as testing

LR, RHO = testing.LR, testing.RHO


def one_step(seed=0):
    """Returns weights, a batch, and the testing.same for flat vectors."""
    w, [batch] = testing.problem(1, seed=seed)
    return w, batch, methods.flat(w), methods.Batch(*batch, w)


def slope(function, w, v, step=1e-5):
    """Derivative of a function at w along v."""
    return (function(w + step * v) - function(w - step * v)) / (2 * step)


def directions(size, count=5):
    return map(
        methods.unit, np.random.RandomState(3).normal(size=(count, size))
    )


def test_is_sam():
    w, batches = testing.problem()
    sam = methods.sam(w, batches, LR, RHO)
    for same_as in (
        descents.gradient_norm_penalty(w, batches, LR, RHO, alpha=1.0),
        descents.gsam(w, batches, LR, RHO, alpha=0.0),
        descents.wsam_coupled(w, batches, LR, RHO, gamma=0.5),
        descents.wsam_decoupled(w, batches, LR, RHO, gamma=0.5),
        descents.cr_sam(w, batches, LR, RHO, gamma=0.0, beta=0.0),
        descents.xsam(w, batches, LR, RHO),
        descents.eigen_sam(w, batches, LR, RHO, start=w, alpha=0.0),
        descents.gam(w, batches, LR, RHO, 0.1, (1.0, -1.0, 0.0), gamma=0.0),
        descents.lookbehind(w, batches, LR, RHO, 1, alpha=1.0),
        descents.multistep_last(w, batches, LR, RHO, 1),
        descents.multistep_mean(w, batches, LR, RHO, 1),
        descents.multistep_weighted(w, batches, LR, RHO, [0.0, 1.0]),
    ):
        testing.same(same_as, sam)


def test_is_sgd():
    w, batches = testing.problem()
    sgd = methods.sgd(w, batches, LR)
    testing.same(
        descents.gradient_norm_penalty(w, batches, LR, RHO, alpha=0.0), sgd
    )
    testing.same(descents.wsam_coupled(w, batches, LR, RHO, gamma=0.0), sgd)
    testing.same(
        descents.multistep_weighted(w, batches, LR, RHO, [1.0, 0.0]), sgd
    )
    testing.same(descents.multistep_weighted(w, batches, LR, RHO, [1.0]), sgd)


# Several steps of ascent.


@pytest.mark.parametrize("radius", ["split", "full"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_multistep_agrees_with_the_climb(radius, n):
    w, (x, y), *_ = one_step()
    _, g = oracle.climb(w, x, y, oracle.sam, radius, RHO, n)
    for method, expected in (
        (descents.multistep_last, oracle.last(g)),
        (descents.multistep_mean, oracle.mean(g)),
    ):
        actual = testing.descent(method, w, (x, y), RHO, n, radius)
        np.testing.assert_allclose(actual, methods.flat(expected), atol=1e-13)
    weights = np.arange(1.0, n + 2)
    actual = testing.descent(
        descents.multistep_weighted, w, (x, y), RHO, weights, radius
    )
    expected = sum(c * methods.flat(a) for c, a in zip(weights, g))
    np.testing.assert_allclose(actual, expected, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_lookbehind_is_alpha_k_times_the_mean(k):
    w, batches = testing.problem()
    actual = descents.lookbehind(w, batches, LR, RHO, k, alpha=0.4)
    mean = descents.multistep_mean(
        w, batches, 0.4 * k * LR, RHO, k, radius="full"
    )
    testing.same(actual, mean)


# Two gradients.


def test_gsam_cuts_across():
    w, batch, vector, b = one_step()
    g0, g1 = descents.two_gradients(vector, b, RHO)
    d = testing.descent(descents.gsam, w, batch, RHO, alpha=0.4)
    u = methods.unit(g1)
    assert d @ u == pytest.approx(methods.norm(g1))
    # The method takes away the part of g_0 across g_1.
    assert (g1 - d) @ g1 == pytest.approx(0, abs=1e-14)
    assert (g1 - d) @ g0 > 0
    assert methods.norm(g0) ** 2 == pytest.approx(
        (g0 @ u) ** 2 + methods.norm((g1 - d) / 0.4) ** 2
    )


def test_sagm_is_a_gradient():
    """Of L(w) + L(w + rho g / ||g|| - alpha g), e held fixed, halved."""
    w, batch, vector, b = one_step()
    d = testing.descent(descents.sagm, w, batch, RHO, alpha=0.1)
    g = b.gradient(vector)
    e = RHO * methods.unit(g) - 0.1 * g

    def matched(w):
        return (b.loss(w) + b.loss(w + e)) / 2

    for v in directions(d.size):
        assert d @ v == pytest.approx(slope(matched, vector, v), abs=1e-9)


def test_sagm_without_alpha_is_the_mean_of_both_ends():
    w, batches = testing.problem()
    penalty = descents.gradient_norm_penalty(w, batches, LR, RHO, alpha=0.5)
    testing.same(descents.sagm(w, batches, LR, RHO, alpha=0.0), penalty)


def test_gsam_radius():
    def radius(lr):
        return descents.gsam_radius(lr, 0.1, 0.5, 0.02, 0.06)

    assert radius(0.1) == pytest.approx(0.02)
    assert radius(0.2) == pytest.approx(0.03)
    assert radius(0.5) == pytest.approx(0.06)


def test_gradient_norm_penalty_is_a_gradient():
    """To first order in rho, of L + alpha rho ||g||."""
    w, batch, vector, b = one_step()
    alpha, rho = 0.7, 1e-4
    d = testing.descent(
        descents.gradient_norm_penalty, w, batch, rho, alpha=alpha
    )

    def penalized(w):
        return methods.norm(b.gradient(w))

    for v in directions(d.size):
        found = (d - b.gradient(vector)) @ v / (alpha * rho)
        assert found == pytest.approx(slope(penalized, vector, v), abs=1e-3)


def test_wsam():
    w, batches = testing.problem()
    coupled, decoupled = descents.wsam_coupled, descents.wsam_decoupled
    keywords = {"gamma": 0.8}
    penalty = descents.gradient_norm_penalty(w, batches, LR, RHO, alpha=4.0)
    testing.same(coupled(w, batches, LR, RHO, **keywords), penalty)
    testing.same(decoupled(w, batches, LR, RHO, **keywords), penalty)
    # With momentum, they part in the second step.
    a = coupled(w, batches, LR, RHO, momentum=0.9, **keywords)
    b = decoupled(w, batches, LR, RHO, momentum=0.9, **keywords)
    testing.same(a[:1], b[:1])
    assert methods.norm(methods.flat(a[1]) - methods.flat(b[1])) > 1e-3
    plain = methods.sgd(w, batches, LR, momentum=0.9)
    testing.same(decoupled(w, batches, LR, RHO, gamma=0.0, momentum=0.9), plain)


def test_stable_sam_has_the_clean_length():
    w, batch, vector, b = one_step()
    g0, g1 = descents.two_gradients(vector, b, RHO)
    d = testing.descent(descents.stable_sam, w, batch, RHO)
    assert methods.norm(d) == pytest.approx(methods.norm(g0))
    assert testing.cosine(d, g1) == pytest.approx(1)


# Other points.


def test_cr_sam_is_a_gradient():
    """Of its loss with e held."""
    w, batch, vector, b = one_step()
    gamma, beta = 0.3, 0.2
    e = RHO * methods.unit(b.gradient(vector))

    def objective(w):
        above, below = b.loss(w + e), b.loss(w - e)
        curve = above + below - 2 * b.loss(w)
        return above + gamma * curve + beta * (above - below)

    d = testing.descent(descents.cr_sam, w, batch, RHO, gamma=gamma, beta=beta)
    for v in directions(d.size):
        assert d @ v == pytest.approx(slope(objective, vector, v), abs=1e-8)


def test_slerp():
    a, b = directions(7, 2)
    angle = np.arccos(a @ b)
    np.testing.assert_allclose(descents.slerp(a, b, 0.0), a)
    np.testing.assert_allclose(descents.slerp(a, b, 1.0), b)
    for alpha in (0.3, 1.7):
        c = descents.slerp(a, b, alpha)
        assert methods.norm(c) == pytest.approx(1)
        assert a @ c == pytest.approx(np.cos(alpha * angle))
    c = np.eye(7)[0]  # Its angle with itself is 0 to the bit.
    np.testing.assert_array_equal(descents.slerp(c, c, 0.3), c)


@pytest.mark.parametrize("n", [1, 3])
def test_xsam(n):
    w, batches = testing.problem()
    last = descents.multistep_last(w, batches, LR, RHO, n)
    testing.same(descents.xsam(w, batches, LR, RHO, n=n), last)
    w, batch, vector, b = one_step()
    z, g = descents.path(vector, b, RHO, n, "split")
    for alpha in (0.0, 0.4, 1.6):
        d = testing.descent(descents.xsam, w, batch, RHO, alpha, n)
        assert methods.norm(d) == pytest.approx(methods.norm(g[-1]))
    d = testing.descent(descents.xsam, w, batch, RHO, 0.0, n)
    assert testing.cosine(d, z - vector) == pytest.approx(1)


def test_xsam_chooses_alpha():
    w, batches = testing.problem()
    _, batch, vector, b = one_step()
    z, g = descents.path(vector, b, RHO, 1, "split")
    v0, v1 = methods.unit(z - vector), methods.unit(g[-1])
    values = [
        b.loss(vector + 0.6 * descents.slerp(v0, v1, alpha))
        for alpha in descents.ALPHAS
    ]
    alpha = descents.steepest_alpha(vector, b, v0, v1, 0.6)
    assert b.loss(vector + 0.6 * descents.slerp(v0, v1, alpha)) == max(values)
    assert 0 < alpha < 2  # Or the test would show little.
    chosen = descents.xsam(w, batches, LR, RHO, 0.1, rho_max=0.6, period=3)
    testing.same(chosen, descents.xsam(w, batches, LR, RHO, alpha))
    often = descents.xsam(w, batches, LR, RHO, 0.1, rho_max=0.6, period=1)
    testing.same(chosen[:1], often[:1])


def hessian(w, batch):
    columns = [descents.hessian_product(w, batch, v) for v in np.eye(w.size)]
    return np.stack(columns)


def test_eigenvector():
    _, _, vector, b = one_step()
    h = hessian(vector, b)
    np.testing.assert_allclose(h, h.T, atol=1e-9)
    for v in directions(vector.size):
        curvature = slope(lambda w, v=v: b.gradient(w) @ v, vector, v)
        assert v @ h @ v == pytest.approx(curvature, abs=1e-8)
    values, vectors = np.linalg.eigh(h)
    largest = np.argmax(np.abs(values))
    start = np.ones(vector.size)
    found = descents.eigenvector(vector, b, start, iterations=300)
    assert abs(found @ vectors[:, largest]) == pytest.approx(1)
    few = descents.eigenvector(vector, b, start, iterations=5)
    power = np.linalg.matrix_power(h, 5) @ start
    np.testing.assert_allclose(few, methods.unit(power), atol=1e-7)


def test_eigen_sam_leans_to_the_eigenvector(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batch, vector, b = one_step()
    g = b.gradient(vector)
    v = descents.eigenvector(vector, b, np.ones(vector.size))
    visited.clear()
    start = [np.ones_like(a) for a in w]
    descents.eigen_sam(w, [batch], LR, RHO, start, alpha=0.2)
    e = visited[-1] - vector
    sine = np.sqrt(1 - testing.cosine(v, g) ** 2)
    assert e @ methods.unit(g) == pytest.approx(RHO)
    assert methods.norm(e) == pytest.approx(
        RHO * np.sqrt(1 + (0.2 * sine) ** 2)
    )
    assert abs(e @ v) > abs(RHO * methods.unit(g) @ v)


def test_x_sam_turns_away_from_the_eigenvector():
    w, batch, vector, b = one_step()
    _, g1 = descents.two_gradients(vector, b, RHO)
    v = descents.eigenvector(vector, b, np.ones(vector.size))
    # The sign of the estimate is the sign nearer to the start.
    for sign in (1, -1):
        start = b.arrays(sign * np.ones(vector.size))
        d = testing.descent(descents.x_sam, w, batch, RHO, start, alpha=0.3)
        nearer = v * np.sign(v @ (sign * np.ones(v.size)))
        expected = methods.unit(g1) - 0.3 * abs(g1 @ v) * nearer
        np.testing.assert_allclose(d, expected, atol=1e-9)
        # Whatever the sign of <g_1, v>, the angle to v grows.
        assert testing.cosine(d, nearer) < testing.cosine(g1, nearer)


def test_x_sam_without_alpha_is_sam_at_length_one():
    w, batch, vector, b = one_step()
    d = testing.descent(descents.x_sam, w, batch, RHO, start=w, alpha=0.0)
    sam = testing.descent(methods.sam, w, batch, RHO)
    np.testing.assert_allclose(d, methods.unit(sam), atol=1e-12)


def test_eigen_sam_keeps_the_eigenvector():
    w, batches = testing.problem()
    start = [np.ones_like(a) for a in w]
    often, seldom = (
        descents.eigen_sam(w, batches, LR, RHO, start, period=period)
        for period in (1, 3)
    )
    testing.same(often[:1], seldom[:1])
    assert methods.norm(methods.flat(often[2]) - methods.flat(seldom[2])) > 1e-6


def test_momentum_sam(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batches = testing.problem()
    plain = methods.sgd(w, batches, LR, momentum=0.9)
    testing.same(descents.momentum_sam(w, batches, LR, 0.0), plain)
    visited.clear()
    points = descents.momentum_sam(w, batches, LR, RHO)
    testing.same(points[:1], plain[:1])
    assert len(visited) == 3
    before = [methods.flat(a) for a in (w, *points)]
    for t in (1, 2):
        e = visited[t] - before[t]
        assert methods.norm(e) == pytest.approx(RHO)
        # The last step went to w_t = w_{t-1} - lr v.
        assert testing.cosine(e, before[t] - before[t - 1]) == pytest.approx(1)


def test_gam_points(monkeypatch):
    visited = testing.record(monkeypatch)
    w, batch, vector, b = one_step()
    g0 = b.gradient(vector)
    visited.clear()
    d = testing.descent(
        descents.gam, w, batch, 1e-4, 0.2, (0.6, 0.5, 0.4), gamma=0.0
    )
    clean, above, z, beyond = visited
    assert methods.norm(above - clean) == pytest.approx(1e-4)
    assert methods.norm(z - clean) == pytest.approx(0.2)
    assert methods.norm(beyond - z) == pytest.approx(1e-4)
    # h is the Hessian times ghat: the gradient of ||g||.
    curve = descents.hessian_product(vector, b, methods.unit(g0))
    assert testing.cosine(z - clean, curve) == pytest.approx(1, abs=1e-6)
    expected = 0.6 * b.gradient(above) + 0.4 * b.gradient(beyond)
    np.testing.assert_allclose(d, expected, atol=1e-14)
    with_gamma = testing.descent(descents.gam, w, batch, 1e-4, 0.2, gamma=0.03)
    assert with_gamma @ methods.unit(d) == pytest.approx(methods.norm(d))
    p = g0 + 0.5 * b.gradient(z)
    across = p - (p @ methods.unit(d)) * methods.unit(d)
    np.testing.assert_allclose(d - with_gamma, 0.03 * across, atol=1e-14)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
