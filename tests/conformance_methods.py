"""Methods that run a training with plain SGD, in float64 NumPy.

Each returns the list of weights after every step.
"""

import numpy as np

from tests import oracle


def sam(w, batches, lr, rho):
    """arXiv:2010.01412, algorithm 1."""
    return multistep_last(w, batches, lr, rho, 1, "full")


def multistep_last(w, batches, lr, rho, n, radius):
    """arXiv:2302.10181 studies it: the last of n + 1 gradients."""

    def descent(w, x, y):
        _, g = oracle.climb(w, x, y, oracle.sam, radius, rho, n)
        return oracle.last(g)

    return _train(w, batches, lr, descent)


def m_sam(w, batches, lr, rho, parts):
    """arXiv:2010.01412, section 4.1."""

    def descent(w, x, y):
        return oracle.m_sharpness(w, x, y, parts, oracle.sam, "full", rho, 1)

    return _train(w, batches, lr, descent)


def asam(w, batches, lr, rho, eta):
    """arXiv:2102.11600, equation 3."""

    def descent(w, x, y):
        step = lambda g, w: oracle.asam(g, w, eta)  # noqa: E731
        _, g = oracle.climb(w, x, y, step, "full", rho, 1)
        return oracle.last(g)

    return _train(w, batches, lr, descent)


def gsam(w, batches, lr, rho, alpha):
    """arXiv:2203.08065: g_1 less alpha times the part of g_0 across g_1."""

    def descent(w, x, y):
        _, (g0, g1) = oracle.climb(w, x, y, oracle.sam, "full", rho, 1)
        across = _across(g0, g1)
        return [a - alpha * b for a, b in zip(g1, across)]

    return _train(w, batches, lr, descent)


def wsam_coupled(w, batches, lr, rho, gamma):
    """arXiv:2305.15817: (1 - a) g_0 + a g_1 with a = gamma / (1 - gamma)."""
    alpha = gamma / (1 - gamma)

    def descent(w, x, y):
        _, (g0, g1) = oracle.climb(w, x, y, oracle.sam, "full", rho, 1)
        return [(1 - alpha) * a + alpha * b for a, b in zip(g0, g1)]

    return _train(w, batches, lr, descent)


# They differ in what the base optimizer does, which is nothing in plain SGD.
wsam_decoupled = wsam_coupled


def looksam(w, batches, lr, rho, period, alpha):
    """arXiv:2203.02714, with norms over all variables together."""
    kept = None
    trained = []
    for t, (x, y) in enumerate(batches):
        _, (g0, g1) = oracle.climb(w, x, y, oracle.sam, "full", rho, 1)
        d = g1
        if t % period == 0:
            kept = _across(g1, g0)
        else:
            factor = alpha * oracle.length(g0) / oracle.length(kept)
            d = [a + factor * b for a, b in zip(g0, kept)]
        w = [a - lr * b for a, b in zip(w, d)]
        trained.append(w)
    return trained


def friendly(w, batches, lr, rho, sigma, decay):
    """arXiv:2403.12350; the first average is the first gradient."""
    average = None
    trained = []
    for x, y in batches:
        g = oracle.gradient(w, x, y)
        if average is None:
            a, average = g, g
        else:
            a = [b - sigma * m for b, m in zip(g, average)]
            average = [decay * m + (1 - decay) * b for b, m in zip(g, average)]
        z = [b + rho * c for b, c in zip(w, oracle.sam(a, w))]
        w = [b - lr * c for b, c in zip(w, oracle.gradient(z, x, y))]
        trained.append(w)
    return trained


def _across(a, b):
    """Returns the part of a that is orthogonal to b."""
    factor = sum(np.sum(c * d) for c, d in zip(a, b)) / oracle.length(b) ** 2
    return [c - factor * d for c, d in zip(a, b)]


def _train(w, batches, lr, descent):
    trained = []
    for x, y in batches:
        w = [a - lr * b for a, b in zip(w, descent(w, x, y))]
        trained.append(w)
    return trained
