"""Descents: they fold gradients as they come."""

import sys
import weakref

import numpy as np
import pytest
from keras import ops

from keras_sam import _types
from keras_sam import descents
from tests.support import engine
from tests.support import oracle

ALL = {descents.Last(): oracle.last, descents.Mean(): oracle.mean}
FOLDING = (
    descents.Last(),
    descents.Mean(),
    descents.Weighted((1.0,) * 9),
    descents.Accumulated(),
    descents.Penalized(),
    descents.Decoupled(),
    descents.SurrogateGap(),
    descents.Renormalized(),
    descents.Slerp(),
)


@pytest.fixture(autouse=True)
def float64():
    """The arrays of the oracle are of float64, and JAX must keep them so."""
    with engine.float64():
        yield


def point(grads):
    tensors = [ops.convert_to_tensor(g) for g in grads]
    return _types.Point(tensors, 0.0, tensors, None, [], [])


def gradients(count):
    random = np.random.RandomState(0)
    return [
        [random.normal(size=shape) for shape in ((3, 2), (4,))]
        for _ in range(count)
    ]


@pytest.mark.parametrize("descent", ALL, ids=str)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_formula(descent, steps):
    g = gradients(steps + 1)
    actual = descent(point(g[0]), map(point, g[1:]))
    for a, b in zip(actual, ALL[descent](g), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


@pytest.mark.parametrize("descent", FOLDING, ids=str)
def test_memory_does_not_grow_with_the_steps(descent):
    alive, most = weakref.WeakSet(), 0

    class Gradients(list):
        pass

    def path():
        nonlocal most
        for grads in gradients(8):
            new = point(grads)
            new = new._replace(grads=Gradients(new.grads))
            alive.add(new.grads)
            yield new
            del new
            most = max(most, len(alive))

    Gradients.__hash__ = object.__hash__
    descent(point(gradients(1)[0]), path())
    assert most <= 2


@pytest.mark.parametrize("descent", FOLDING, ids=str)
def test_zero_gradients_give_zeros(descent):
    zeros = [0 * g for g in gradients(1)[0]]
    # As many points as there are weights.
    path = [point(zeros)] * 8
    result = descent(point(zeros), iter(path))
    for part in result if descent.decoupled else [result]:
        for tensor in part:
            np.testing.assert_array_equal(tensor, np.zeros(tensor.shape))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, 2.0])
def test_slerp_of_parallel_vectors_is_along_them(alpha):
    """The angle is 0, over whose sine the rule divides."""
    (g,) = gradients(1)
    w = [ops.zeros_like(a) for a in point(g).params]
    clean, last = point(g)._replace(params=w), point(g)
    for a, b in zip(descents.Slerp(alpha)(clean, iter([last])), g):
        np.testing.assert_allclose(a, b, rtol=1e-7)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
