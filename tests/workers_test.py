"""Several workers: real processes on this machine, with a replica each."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests import testing

ROOT = pathlib.Path(__file__).parents[1]
TIMEOUT = 180  # Seconds. A worker waits for the others, at worst for ever.

WORKER = """
import json
import tensorflow as tf
from tests import workers_test
strategy = tf.distribute.MultiWorkerMirroredStrategy()
print("RESULT", json.dumps(workers_test.results(strategy, {arguments})))
"""


def results(strategy, arguments):
    """Trains under a strategy, in this process."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        sam = keras_sam.SAM(testing.dense_net(), rho=0.1, **arguments)
        sam.compile(
            keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5),
            testing.cross_entropy(),
            metrics=["accuracy"],
        )
    batches = tf.data.Dataset.from_tensor_slices(testing.data(32)).batch(8)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    batches = batches.with_options(options)
    history = sam.fit(
        batches, epochs=2, verbose=0, shuffle=False, validation_data=batches
    )
    return {
        "history": history.history,
        "evaluate": sam.evaluate(batches, verbose=0),
        "predictions": len(sam.predict(batches, verbose=0)),
        "weights": [w.tolist() for w in sam.get_weights()],
    }


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def start(workers, index, arguments):
    config = {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": index},
    }
    return subprocess.Popen(
        [sys.executable, "-c", WORKER.format(arguments=arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "TF_CONFIG": json.dumps(config),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results_of_workers(count, arguments):
    """Returns the results of each of so many processes."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    processes = [start(workers, i, arguments) for i in range(count)]
    try:
        outputs = [p.communicate(timeout=TIMEOUT) for p in processes]
    finally:
        for process in processes:
            process.kill()
    found = []
    for process, (output, errors) in zip(processes, outputs):
        assert process.returncode == 0, errors
        (line,) = [w for w in output.splitlines() if w.startswith("RESULT ")]
        found.append(json.loads(line.removeprefix("RESULT ")))
    return found


@pytest.mark.parametrize(
    "arguments",
    [{"ascent_steps": 2}, {"sync_perturbations": True, "xla": True}],
    ids=["local", "synced"],
)
def test_two_workers_are_two_replicas(arguments):
    first, second = results_of_workers(2, arguments)
    assert first == second
    expected = results(testing.two_replicas(), arguments)
    assert first["predictions"] == expected["predictions"] == 32
    # Sums over processes are taken in another order.
    for name, values in expected["history"].items():
        np.testing.assert_allclose(first["history"][name], values, rtol=1e-5)
    np.testing.assert_allclose(
        first["evaluate"], expected["evaluate"], rtol=1e-5
    )
    for a, b in zip(first["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
