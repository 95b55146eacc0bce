"""Descents: they fold gradients as they come."""

import gc
import sys
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import descents
from keras_sam import functional
from tests import oracle

ALL = {descents.Last(): oracle.last, descents.Mean(): oracle.mean}


def point(grads):
    tensors = [ops.convert_to_tensor(g) for g in grads]
    return functional.Point(tensors, 0.0, tensors, None, [], [])


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


@pytest.mark.parametrize("descent", ALL, ids=str)
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
            gc.collect()
            most = max(most, len(alive))

    Gradients.__hash__ = object.__hash__
    descent(point(gradients(1)[0]), path())
    assert most <= 2


@pytest.mark.parametrize("descent", ALL, ids=str)
def test_config_round_trip(descent):
    config = keras.saving.serialize_keras_object(descent)
    assert keras.saving.deserialize_keras_object(config) == descent


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
