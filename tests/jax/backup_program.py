"""A training in a process of its own, for `backup_test.py`."""

import json
import os
import pathlib
import signal
import sys
import time

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from tests.support import testing  # isort: skip

import keras_sam

EPOCHS = 2
STEPS = 6  # In an epoch.


class Fault(keras.callbacks.Callback):
    """Sends a signal to its own process, in a step of an epoch."""

    def __init__(self, name, epoch, step):
        super().__init__()
        self._signal = getattr(signal, name)
        self._at = (epoch, step)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            os.kill(os.getpid(), self._signal)


class Pause(keras.callbacks.Callback):
    """Sleeps in each step: JAX looks for a signal once a second."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds

    def on_train_batch_begin(self, batch, logs=None):
        time.sleep(self._seconds)


def batches(first, part):
    """Yields a part of each batch, each epoch in an order of its own."""
    x, y = testing.data(8 * STEPS)
    for epoch in range(first, EPOCHS):
        order = np.random.RandomState(epoch).permutation(len(y))
        for rows in order.reshape(STEPS, 8):
            yield x[rows][part], y[rows][part]


def distribution(kind):
    """Returns (distribution or None, the part of a batch of this process)."""
    if kind == "data":
        index = jax.process_index()
        return (
            keras.distribution.DataParallel(auto_shard_dataset=False),
            slice(4 * index, 4 * index + 4),
        )
    if kind == "model":
        mesh = keras.distribution.DeviceMesh((1, 2), ("batch", "model"))
        layout = keras.distribution.LayoutMap(mesh)
        layout["hidden/kernel"] = (None, "model")
        return (
            keras.distribution.ModelParallel(
                layout_map=layout, auto_shard_dataset=False
            ),
            slice(None),
        )
    return None, slice(None)


def whole(variable):
    """Returns a value, also where processes share it."""
    if variable.value.is_fully_replicated:
        return np.asarray(variable.value)
    return multihost_utils.process_allgather(variable.value, tiled=True)


def cut_writing(number):
    """Kills this process when a backup is written, but not yet named."""
    replace = os.replace

    def replacing(old, new):
        if new.endswith(f"ckpt-{number}.keras"):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(old, new)

    os.replace = replacing


def train(kind, directory, result, fault=None, cut_write=None, pause=0):
    """Trains, and writes down what came out."""
    here, part = distribution(kind)
    keras.distribution.set_distribution(here)
    if cut_write:
        cut_writing(cut_write)
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(
        testing.full_net(), rho=0.1, direction=testing.Averaged()
    )
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        testing.cross_entropy(),
        metrics=["accuracy"],
    )
    backup = keras_sam.BackupAndRestore(directory, save_freq=2)
    print("RESUMES", backup.epoch, backup.step, flush=True)
    sam.fit(
        batches(min(backup.epoch, EPOCHS - 1), part),
        initial_epoch=backup.epoch,
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        callbacks=[
            *([Fault(*fault)] if fault else []),
            *([Pause(pause)] if pause else []),
            backup,
        ],
        shuffle=False,
        verbose=0,
    )
    if kind == "model":
        (kernel,) = [v for v in sam.weights if v.path == "hidden/kernel"]
        assert not kernel.value.is_fully_replicated
    np.savez(
        f"{result}.npz", *map(whole, [*sam.variables, *sam.optimizer.variables])
    )
    pathlib.Path(f"{result}.json").write_text(json.dumps(backup.history))


if __name__ == "__main__":
    port, count, index, arguments = json.loads(sys.argv[1])
    if count > 1:
        jax.config.update("jax_num_cpu_devices", 1)
        jax.distributed.initialize(f"127.0.0.1:{port}", count, index)
    train(**arguments)
