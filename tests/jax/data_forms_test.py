"""Each form of data trains to the bit what arrays train."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np
import scipy.sparse

from tests.jax import data_forms
from tests.jax import meshes
from tests.support import processes
from tests.support import testing

DEVICES = (None, 8)


@pytest.fixture(scope="module")
def expected():
    """What arrays train, on one device and on eight."""
    return {
        number: np.hstack(
            data_forms.trained(data_forms.arrays, meshes.devices(number))
        )
        for number in DEVICES
    }


@pytest.mark.parametrize("number", DEVICES)
@pytest.mark.parametrize(
    "make",
    [
        data_forms.data_set,
        data_forms.workers,
        data_forms.generator,
        data_forms.loader,
        data_forms.grain_data_set,
        data_forms.grain_loader,
    ],
)
def test_forms(make, number, expected):
    found = data_forms.trained(make, meshes.devices(number))
    np.testing.assert_array_equal(np.hstack(found), expected[number])


@testing.BOTH
def test_data_sets_of_tensorflow(expected):
    process = processes.start("-m", "tests.jax.data_forms", KERAS_BACKEND="jax")
    (found,) = processes.results([process], 200)
    for values, number in zip(found, DEVICES, strict=True):
        np.testing.assert_array_equal(np.float32(values), expected[number])


def test_sparse_batches_are_whole():
    x, y = testing.data(8)
    x *= np.random.RandomState(1).uniform(size=x.shape) < 0.5

    def fitted(rows, **arguments):
        inputs = keras.Input((6,), sparse=True)
        sam = meshes.wrapped(
            lambda: keras.Model(inputs, keras.layers.Dense(3)(inputs)),
            **arguments,
        )
        sam.fit(rows, y, batch_size=4, shuffle=False, verbose=0)
        return np.hstack([*map(np.ravel, sam.get_weights())])

    rows = scipy.sparse.csr_matrix(x)
    np.testing.assert_allclose(fitted(rows), fitted(x), rtol=0, atol=1e-6)
    words = "`num_batch_splits` needs dense tensors on the JAX backend. Make"
    with pytest.raises(
        ValueError, match=rf"{words}.*'sparse \(4, 6\) float32'"
    ):
        fitted(rows, num_batch_splits=2)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
