"""The launcher and Slurm on JAX: two processes, and one that does not come."""

import json
import os
import socket
import sys
import time

import pytest

from tests.support import engine

if not engine.JAX:
    pytest.skip("needs KERAS_BACKEND=jax", allow_module_level=True)

import keras
import numpy as np

from examples import launch
from examples.jax import cluster
from tests.support import processes

_RUN = ("--model=mlp", "--epochs=1", "--learning_rate=0.01")
_RUN = (*_RUN, "--lr_schedule=constant", "--sync_perturbations")


def trained(folder, *started):
    """Returns the weights that processes leave, and what they say."""
    finished = processes.finish(started)
    for status, output in finished:
        assert status == 0, output
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    return model.get_weights(), [output for _, output in finished]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The weights after a training in one process."""
    folder = tmp_path_factory.mktemp("one")
    found, _ = trained(
        folder,
        processes.start(
            "-m", "examples.train", *_RUN, f"--output_dir={folder}"
        ),
    )
    return found


def assert_close(first, second):
    # Processes add up in another order, which 11 steps spread.
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_two_processes_are_one(one, tmp_path):
    found, (output,) = trained(
        tmp_path,
        processes.start(
            *("-m", "examples.launch", "--workers=2", "--", *_RUN),
            f"--output_dir={tmp_path}",
        ),
    )
    assert_close(found, one)
    lines = [line for line in output.splitlines() if "Test accuracy" in line]
    assert [line[:10] for line in sorted(lines)] == ["[worker 0]", "[worker 1]"]
    assert "--strategy=data_parallel, replicas: 2" in output


def slurm_job():
    """Returns (number of a job, port that JAX takes for it), the port free."""
    for job in range(os.getpid() % 4096, 4096):
        port = 61440 + job
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return job, port
    raise RuntimeError("No port is free")


def slurm_task(index, job, folder, *arguments):
    """Starts a task as `srun` does, of two on this machine."""
    number, port = job
    return processes.start(
        *("-m", "examples.train", "--strategy=data_parallel", *_RUN),
        *("--cluster=slurm", f"--output_dir={folder}", *arguments),
        SLURM_JOB_ID=str(number),
        SLURM_STEP_NODELIST="127.0.0.1",
        SLURM_NTASKS="2",
        SLURM_PROCID=str(index),
        SLURM_LOCALID=str(index),
        JAX_COORDINATOR_BIND_ADDRESS=f"127.0.0.1:{port}",
    )


def test_tasks_of_slurm_are_one(one, tmp_path):
    job = slurm_job()
    found, outputs = trained(
        tmp_path, *(slurm_task(index, job, tmp_path) for index in range(2))
    )
    assert_close(found, one)
    for index, output in enumerate(outputs):
        assert f"This is task {index} of 2, on the nodes 127.0.0.1" in output
    assert "--strategy=data_parallel, replicas: 2" in outputs[0]


def test_an_absent_task_of_slurm():
    task = slurm_task(1, slurm_job(), "unused", "--cluster_timeout=3")
    ((status, output),) = processes.finish([task], 120)
    assert status == 1, output
    assert "Waited 3.0 s for the others. This is task 1 of 2" in output


def test_outside_of_slurm():
    with pytest.raises(ValueError, match="`srun` sets.*'SLURM_PROCID': None"):
        cluster.slurm({"SLURM_JOB_ID": "7"})


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
