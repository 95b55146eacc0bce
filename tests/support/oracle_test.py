"""The oracle against finite differences: a wrong oracle would prove nothing."""

import sys

import numpy as np
import pytest

from tests.support import oracle


def problem(seed=0):
    random = np.random.RandomState(seed)
    shapes = [(6, 8), (8,), (8, 3), (3,)]
    w = [random.normal(size=shape) for shape in shapes]
    return w, random.normal(size=(24, 6)), random.randint(0, 3, 24)


def test_gradient_is_that_of_the_loss():
    w, x, y = problem()
    step = 1e-6
    for array, derivative in zip(w, oracle.gradient(w, x, y)):
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + step
            above = oracle.loss(w, x, y)
            array[index] = kept - step
            below = oracle.loss(w, x, y)
            array[index] = kept
            expected = (above - below) / (2 * step)
            assert derivative[index] == pytest.approx(expected, abs=1e-8)


def test_climb_goes_up():
    w, x, y = problem()
    points, _ = oracle.climb(w, x, y, oracle.sam, "split", 0.1, 3)
    losses = [oracle.loss(point, x, y) for point in points]
    assert losses == sorted(losses)
    moved = [b - a for a, b in zip(points[0], points[1])]
    assert oracle.length(moved) == pytest.approx(0.1 / 3)


def test_projection_stays_in_the_ball():
    w, x, y = problem()
    points, _ = oracle.climb(w, x, y, oracle.sam, "projected", 0.1, 4)
    for point in points[1:]:
        moved = [b - a for a, b in zip(points[0], point)]
        assert oracle.length(moved) <= 0.1 * (1 + 1e-12)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
