"""Helpers of the oracle's tests: a problem, and what a method does to it.

They are not in `testing.py`, so that they need no TensorFlow.
"""

import numpy as np

from tests.support import oracle
from tests.support import oracle_methods as methods

RHO, LR = 0.3, 0.2
SHAPES = ((6, 8), (8,), (8, 3), (3,))


def problem(steps=3, size=13, seed=0):
    """Returns weights and batches."""
    random = np.random.RandomState(seed)
    w = [random.normal(size=shape) for shape in SHAPES]
    batches = [
        (random.normal(size=(size, 6)), random.randint(0, 3, size))
        for _ in range(steps)
    ]
    return w, batches


def draws(steps=3, seed=1):
    random = np.random.RandomState(seed)
    return [[random.normal(size=s) for s in SHAPES] for _ in range(steps)]


def same(actual, expected, atol=1e-12):
    """Asserts that two trainings are equal."""
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(
            methods.flat(a), methods.flat(b), rtol=0, atol=atol
        )


def descent(method, w, batch, *arguments, **keywords):
    """Returns d of a first step."""
    (after,) = method(w, [batch], 1.0, *arguments, **keywords)
    return methods.flat(w) - methods.flat(after)


def record(monkeypatch):
    """Returns a list that gets every point at which a gradient is taken."""
    points, gradient = [], oracle.gradient

    def recorded(w, x, y):
        points.append(methods.flat(w))
        return gradient(w, x, y)

    monkeypatch.setattr(oracle, "gradient", recorded)
    return points


def perturbations(visited):
    """Returns e of each step of a training that has two gradients a step."""
    return [b - a for a, b in zip(visited[::2], visited[1::2])]


def clean_gradients(points, batches):
    like, _ = problem()
    return [
        methods.Batch(x, y, like).gradient(point)
        for point, (x, y) in zip(points, batches)
    ]


def cosine(a, b):
    return methods.unit(a) @ methods.unit(b)
