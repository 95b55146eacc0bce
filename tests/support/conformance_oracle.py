"""The rules that peers compute instead of a paper's rule, in float64 NumPy.

Like the methods of the papers, each rule trains the network of `oracle.py` with
plain SGD and returns the list of weights after every step.
"""

import numpy as np

from tests.support import oracle


def sam(w, batches, lr, rho, climb, descend):
    """SAM with gradients of losses other than the oracle's.

    Args:
        climb: Function from (w, x, y) to the gradient to climb with.
        descend: Function from (w, x, y) to the gradient to descend with.
    """
    trained = []
    for x, y in batches:
        step = oracle.sam(climb(w, x, y), w)
        z = [a + rho * b for a, b in zip(w, step)]
        w = [a - lr * b for a, b in zip(w, descend(z, x, y))]
        trained.append(w)
    return trained


def regularized(factor):
    """Returns the gradient with factor * the squared kernels in the loss."""

    def gradient(w, x, y):
        g = oracle.gradient(w, x, y)
        return [a + 2 * factor * b if b.ndim > 1 else a for a, b in zip(g, w)]

    return gradient


def dropped(mask):
    """Returns the gradient where the hidden layer is multiplied by a mask."""

    def gradient(w, x, y):
        w1, b1, w2, b2 = w
        column = np.array(mask)[:, None]
        g1, h1, g2, h2 = oracle.gradient([w1, b1, column * w2, b2], x, y)
        return [g1, h1, column * g2, h2]

    return gradient


def looksam_by_variable(w, batches, lr, rho, period, alpha):
    """LookSAM where each variable is split up, and scaled, on its own."""
    kept = None
    trained = []
    for t, (x, y) in enumerate(batches):
        d = oracle.gradient(w, x, y)
        if t % period == 0:
            _, (clean, d) = oracle.climb(w, x, y, oracle.sam, "full", rho, 1)
            kept = [
                b - np.sum(a * b) / np.sum(a**2) * a for a, b in zip(clean, d)
            ]
        else:
            d = [
                a + alpha * np.linalg.norm(a) / np.linalg.norm(b) * b
                for a, b in zip(d, kept)
            ]
        w = [a - lr * b for a, b in zip(w, d)]
        trained.append(w)
    return trained
