"""Two processes of `jax.distributed`, with two devices each."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import json

import keras
import numpy as np

from tests.jax import meshes
from tests.jax import worker
from tests.support import processes
from tests.support import testing

ATOL = 2e-6  # Sums in another order.
SECONDS = 300  # The limit of a test; a machine with other work is slow.
SOON = 30  # Seconds until an error; processes on a busy machine take turns.


def said(*call):
    """Returns what a function of `worker` returns on both processes."""
    started = worker.start("tests.jax.worker", json.dumps(call))
    return processes.results(started, SECONDS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What both processes say, and the folder that they have written to."""
    folder = tmp_path_factory.mktemp("two")
    return said("trained", str(folder)), folder


def interleaved(examples=16, size=4):
    """Returns all data in the order in which two processes have them.

    A batch holds one of the first process, then one of the second.
    """
    order = np.arange(examples).reshape(worker.PROCESSES, -1, size)
    order = order.transpose(1, 0, 2).reshape(-1)
    return tuple(array[order] for array in testing.data(examples))


@pytest.mark.parametrize("climb", worker.CLIMBS)
def test_two_processes_equal_one(climb, trained):
    # Four devices that climb on their own are four parts of the batch.
    arguments = worker.CLIMBS[climb]
    if not arguments.get("sync_perturbations"):
        arguments = {**arguments, "num_batch_splits": 4}
    expected = worker.fitted(meshes.wrapped(**arguments), *interleaved(), 8)
    for found in trained[0]:
        assert found[climb]["history"].keys() == expected["history"].keys()
        for key in ("weights", "loss"):
            for one, two in zip(found[climb][key], expected[key], strict=True):
                np.testing.assert_allclose(one, two, rtol=0, atol=ATOL)
        for name, values in expected["history"].items():
            np.testing.assert_allclose(
                found[climb]["history"][name], values, rtol=0, atol=ATOL
            )


@pytest.mark.parametrize("climb", worker.CLIMBS)
def test_each_process_predicts_on_its_own_data(climb, trained):
    results, _ = trained
    sam = meshes.wrapped(**worker.CLIMBS[climb])
    sam.set_weights([np.float32(w) for w in results[0][climb]["weights"]])
    for index, found in enumerate(results):
        x, _ = worker.rows(index)
        expected = sam.predict(x[:-1], verbose=0)
        np.testing.assert_allclose(
            found[climb]["outputs"], expected, rtol=0, atol=ATOL
        )


def test_one_process_writes_a_file(trained):
    results, folder = trained
    assert [found["chief"] for found in results] == [True, False]
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["inner.keras", "model.keras"]
    sam = keras.models.load_model(folder / "model.keras")
    weights = results[0]["memory"]["weights"]
    for one, two in zip(sam.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, np.float32(two))


def test_different_settings_are_errors_on_both():
    for found in said("differing"):
        for name, words in {
            "rho": "rho: 0.1 on process 0",
            "batches": "batches of an epoch: 2 on process 0",
            "last": "examples of the last batch: None on process 0",
            "epochs": "epochs: 1 on process 0",
            "uneven": "2 devices share each batch evenly",
            "compile": "momentum: 0.0 on process 0",
        }.items():
            assert words in found[name]["error"], found
            assert found[name]["seconds"] < SOON


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
