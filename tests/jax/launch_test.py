"""The launcher on JAX: two processes, and one that does not come."""

import json
import sys
import time

import pytest

from tests.support import engine

if not engine.JAX:
    pytest.skip("needs KERAS_BACKEND=jax", allow_module_level=True)

import keras
import numpy as np

from examples import launch
from tests.support import processes

_RUN = ("--model=mlp", "--epochs=1", "--learning_rate=0.01")
_RUN = (*_RUN, "--lr_schedule=constant", "--sync_perturbations")


def weights(folder):
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    return model.get_weights()


def test_two_processes_are_one(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    started = [
        processes.start("-m", *command, *_RUN, f"--output_dir={folder}")
        for command, folder in (
            (("examples.train",), one),
            (("examples.launch", "--workers=2", "--"), two),
        )
    ]
    for status, output in processes.finish(started):
        assert status == 0, output
    lines = [line for line in output.splitlines() if "Test accuracy" in line]
    assert [line[:10] for line in sorted(lines)] == ["[worker 0]", "[worker 1]"]
    assert "--strategy=data_parallel, replicas: 2" in output
    # Processes add up in another order, which 11 steps spread.
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("index", [0, 1])
def test_an_absent_process(index):
    (port,) = processes.free_ports(1)
    start = time.monotonic()
    process = processes.start(
        *("-m", "examples.train", "--strategy=data_parallel", *_RUN),
        *("--output_dir=unused", "--cluster_timeout=3"),
        KERAS_DISTRIBUTION_JOB_ADDRESSES=f"127.0.0.1:{port}",
        KERAS_DISTRIBUTION_NUM_PROCESSES="2",
        KERAS_DISTRIBUTION_PROCESS_ID=str(index),
        JAX_COORDINATOR_BIND_ADDRESS=f"127.0.0.1:{port}",
    )
    ((status, output),) = processes.finish([process], 120)
    assert status == 1, output
    assert "TimeoutError: Waited 3.0 s for the others" in output
    assert f"process {index} of 2, all of which meet at 127.0.0.1:" in output
    assert time.monotonic() - start < 100


def test_what_the_launcher_says(tmp_path):
    code = (
        "import json, os, sys\n"
        "names = sorted(n for n in os.environ if n.startswith('KERAS_DIST'))\n"
        "print(json.dumps([os.environ[n] for n in names]))\n"
    )
    assert launch.launch(2, ["-c", code], tmp_path) == 0
    first, number, index = json.loads((tmp_path / "worker-1.txt").read_text())
    assert len(set(first.split(","))) == 2
    assert (number, index) == ("2", "1")
    assert launch.strategy() == "data_parallel"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
