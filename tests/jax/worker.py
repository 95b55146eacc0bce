"""One of two processes of `jax.distributed` on this machine, for tests.

    python -m tests.jax.worker PORT INDEX CALL

The process says what a function of this module returns.
"""

import json
import pathlib
import sys
import time

import jax
import keras

from keras_sam import directions
from keras_sam import distribute
from tests.jax import meshes
from tests.support import processes
from tests.support import testing

PROCESSES = 2
CLIMBS = {
    "own": {},
    "together": {"sync_perturbations": True},
    "memory": {"direction": directions.Friendly(0.7, 0.6), "ascent_steps": 2},
}


def start(module, *arguments):
    """Starts both processes, with two devices each; returns them.

    Args:
        module: String, what they run. It is given a port, the index of the
            process, and the arguments.
        *arguments: Strings.
    """
    (port,) = processes.free_ports(1)
    return [
        processes.start(
            *("-m", module, str(port), str(index), *arguments),
            KERAS_BACKEND="jax",
            JAX_NUM_CPU_DEVICES="2",
            # With one thread a core, devices that wait for devices of the
            # other process leave no thread for the rest: a deadlock of JAX.
            PJRT_NPROC="8",
        )
        for index in range(PROCESSES)
    ]


def join(port, index):
    """Joins the processes; each has as many devices as it was given."""
    jax.distributed.initialize(
        f"127.0.0.1:{port}", PROCESSES, index, initialization_timeout=120
    )
    keras.distribution.set_distribution(
        # Each process has its own part of the data.
        keras.distribution.DataParallel(auto_shard_dataset=False)
    )


def rows(index, examples=16):
    """Returns the part of the data that a process has."""
    here = slice(
        index * examples // PROCESSES, (index + 1) * examples // PROCESSES
    )
    x, y = testing.data(examples)
    return x[here], y[here]


def fitted(sam, x, y, size):
    """Trains two epochs; returns the weights and the history."""
    history = sam.fit(
        x, y, batch_size=size, epochs=2, shuffle=False, verbose=0
    ).history
    loss = sam.evaluate(x, y, batch_size=size, verbose=0)
    weights = [w.tolist() for w in sam.get_weights()]
    # The last batch of a process is not what its devices can share.
    outputs = sam.predict(x[:-1], batch_size=size, verbose=0).tolist()
    return {
        "weights": weights,
        "history": history,
        "loss": loss,
        "outputs": outputs,
    }


def trained(index, folder):
    """Trains each climb; saves the last model, which all processes write."""
    found = {}
    for name, climb in CLIMBS.items():
        sam = meshes.wrapped(**climb)
        found[name] = fitted(sam, *rows(index), 4)
    path = pathlib.Path(folder, "model.keras")
    sam.save(path)
    with distribute.writing(None, str(path.with_name("inner.keras"))) as own:
        sam.model.save(own)
    return {**found, "chief": distribute.is_chief(None)}


def _error(function, *arguments, **settings):
    start = time.monotonic()
    try:
        function(*arguments, **settings)
    except ValueError as error:
        return {"error": str(error), "seconds": time.monotonic() - start}
    return {"error": None}


def differing(index):
    """Returns the errors of processes that do not do the same."""
    found = {"rho": _error(meshes.wrapped, rho=0.1 * (1 + index))}
    sam = meshes.wrapped()
    x, y = rows(index, 32)
    found["batches"] = _error(
        sam.fit, x[: 8 + 8 * index], y[: 8 + 8 * index], 4, verbose=0
    )
    found["last"] = _error(
        sam.fit, x[: 16 - 2 * index], y[: 16 - 2 * index], 4, verbose=0
    )
    found["epochs"] = _error(sam.fit, x, y, 4, epochs=1 + index, verbose=0)
    sam.compile(keras.optimizers.SGD(0.1, 0.5 * index), "mse")
    found["compile"] = _error(sam.fit, x, y, 4, verbose=0)
    found["uneven"] = _error(sam.evaluate, x[:7], y[:7], 4, verbose=0)
    return found


def main(port, index, call):
    """Joins, calls a function given as JSON, and says what it returns."""
    join(int(port), int(index))
    name, *arguments = json.loads(call)
    processes.say(globals()[name](int(index), *arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
