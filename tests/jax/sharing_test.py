"""Weights that two processes share: their files, and their landscape."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np

from keras_sam import landscape
from tests.jax import landscape_test
from tests.jax import meshes
from tests.jax import sharing
from tests.jax import worker
from tests.support import processes
from tests.support import testing

ATOL = 2e-6  # Sums in another order.
SECONDS = 300  # The limit of a test; a machine with other work is slow.


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What both processes say, and the folder that they have written to."""
    folder = tmp_path_factory.mktemp("shared")
    started = worker.start("tests.jax.sharing", str(folder))
    return processes.results(started, SECONDS), folder


@pytest.fixture(scope="module")
def one():
    """The same training on one device."""
    return sharing.fitted(num_batch_splits=2)


def assert_equal_weights(first, second):
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=ATOL, err_msg=a.path)


def test_files_hold_whole_weights(shared, one):
    results, folder = shared
    assert all(found["shared"] for found in results)
    assert len(list(folder.iterdir())) == 4
    sam = keras.models.load_model(folder / "sam.keras")
    assert_equal_weights(sam, one)
    # The slots of the optimizer are shared, too.
    for a, b in zip(sam.optimizer.variables, one.optimizer.variables):
        np.testing.assert_allclose(a, b, rtol=0, atol=ATOL, err_msg=a.path)
    inner = keras.models.load_model(folder / "inner.keras")
    assert_equal_weights(inner, one.model)
    sam.load_weights(folder / "sam.weights.h5")
    assert_equal_weights(sam, one)


def test_weights_are_handed_out_whole(shared, one):
    results, folder = shared
    for found in results:
        for a, b in zip(found["weights"], one.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=ATOL)
    with np.load(folder / "exported.npz") as exported:
        for a, b in zip(
            exported.values(), one.model.get_weights(), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=0, atol=ATOL)


def test_processes_load_what_they_have_written(shared):
    for found in shared[0]:
        before, after = found["evaluated"]
        assert before == after


def test_uneven_data(shared, one):
    # Each process has all examples, and a device for each half of them.
    expected = one.predict(testing.data(16)[0][:15], verbose=0)
    for found in shared[0]:
        np.testing.assert_allclose(
            found["outputs"], expected, rtol=0, atol=ATOL
        )
        assert "2 devices share each batch evenly" in found["refused"]
        assert "a last batch of 7 from 15 examples" in found["refused"]


@pytest.mark.parametrize("function", sharing.MEASURED)
def test_two_processes_measure_as_one(function, shared, one):
    # Landscapes do not climb on parts of a batch.
    whole = meshes.wrapped(lambda: one.model, direction=testing.Averaged())
    at = landscape.Landscape(whole, *testing.data(16), batch_size=sharing.SIZE)
    expected = np.hstack(landscape_test.FUNCTIONS[function](at))
    for found in shared[0]:
        np.testing.assert_allclose(
            found[function], expected, rtol=landscape_test.RTOL, atol=1e-5
        )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
