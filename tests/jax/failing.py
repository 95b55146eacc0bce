"""One of two processes, for tests: an error ends one of them.

    python -m tests.jax.failing PORT INDEX WHO WHERE

The process WHO fails; the other one could go on for ever.
"""

import os
import signal
import sys
import time

import keras

from tests.jax import meshes
from tests.jax import worker

SIZE = 4  # Of a batch.


class Faulty(keras.callbacks.Callback):
    """Calls a function in the second step."""

    def __init__(self, function):
        super().__init__()
        self._function = function

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 1:
            self._function()


def fail():
    """Raises an error, and says when."""
    print("FAILS", time.time(), flush=True)
    raise ValueError("no such file: a.csv")


def leave():
    """Ends this process as a program ends that has noticed an error."""
    print("FAILS", time.time(), flush=True)
    sys.exit(3)


def die():
    """Ends this process at once."""
    print("FAILS", time.time(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def batches(index, function):
    """Yields batches; calls a function in the place of the third one."""
    x, y = worker.rows(index)
    yield x[:SIZE], y[:SIZE]
    yield x[:SIZE], y[:SIZE]
    function()
    while True:
        yield x[:SIZE], y[:SIZE]


def nothing():
    """Does nothing."""


def main(port, index, who, where):
    """Trains; fails where it is told to."""
    worker.join(int(port), int(index))
    fails = index == who
    sam = meshes.wrapped()
    if fails:
        {"before": fail, "leaves": leave}.get(where, nothing)()
    data = batches(int(index), fail if fails and where == "data" else nothing)
    function = {"callback": fail, "dies": die}.get(where, nothing)
    history = sam.fit(
        data,
        steps_per_epoch=100,
        callbacks=[Faulty(function if fails else nothing)],
        verbose=0,
    ).history
    print(history)  # JAX has not waited for the steps before this.


if __name__ == "__main__":
    main(*sys.argv[1:])
