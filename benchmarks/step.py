r"""Time and memory of a train step, compared with plain Keras.

    python -m benchmarks.step
    python -m benchmarks.step --network=cnn --mode=graph --rounds=20
    python -m benchmarks.step --backend=jax --backend=tensorflow

Each network, backend and mode has a process, where plain Keras and n-step SAM
take turns. So a change of the machine's load affects all of them. A ratio is
the median of the ratios of the rounds. For some methods the script also prints
how many seconds longer the first step takes than the second, and the largest
memory of the process; each has a process of its own. The optimizer is SGD with
momentum. On a GPU memory is the device's. In mode "passes" plain Keras is a
graph. On JAX the mode is "xla": Keras compiles the whole step.

The targets of docs/performance.md follow the table, each with its measurement,
met or missed.
"""

import json
import math
import os
import resource
import statistics
import subprocess
import sys

import numpy as np
from absl import app
from absl import flags
from absl import logging

import keras_sam
from benchmarks import engine
from benchmarks import networks
from benchmarks import runs
from benchmarks import targets

FLAGS = flags.FLAGS
NETWORKS = list(networks.NETWORKS)
flags.DEFINE_multi_enum("network", NETWORKS, NETWORKS, "What is trained.")
XLA = {"graph": False, "xla": "auto", "passes": True}
MODES = list(XLA)
flags.DEFINE_multi_enum(
    "mode",
    MODES,
    MODES,
    "What XLA compiles: nothing, the whole step, or each pass of SAM alone.",
)
BACKENDS = {"tensorflow": MODES, "jax": ["xla"]}
flags.DEFINE_multi_enum(
    "backend", ["tensorflow"], list(BACKENDS), "What Keras runs on."
)
flags.DEFINE_integer("rounds", 9, "Rounds that count.", lower_bound=3)
flags.DEFINE_float("seconds", 0.5, "Seconds of a round of a method.")
flags.DEFINE_string("worker", "", "What to measure here, for itself: a JSON.")

PLAIN = "plain"
METHODS = {
    PLAIN: None,
    **{name: {"ascent_steps": n} for name, n in targets.STEPS.items()},
    "n=8 mean": {"ascent_steps": 8, "descent": keras_sam.descents.Mean()},
}
# Of which the first step and the memory are measured.
FIRST = (PLAIN, "n=1", "n=8", "n=8 mean")
TIMEOUT = 3600  # Seconds of one process.


def prepare(network, mode, method):
    """Returns the `Run` of a method, traced and warmed up."""
    model = prepare_model(network, mode, method)
    return runs.Run(model, networks.NETWORKS[network].batch())


def prepare_model(network, mode, method):
    """Returns the compiled model of a method."""
    model = networks.NETWORKS[network].build()
    if METHODS[method] is not None:
        model = keras_sam.SAM(model, **METHODS[method], xla=XLA[mode])
    return runs.compiled(model, mode == "xla")


def times(network, mode):
    """Returns {method: [seconds of a step of each round]}."""
    taken = {m: prepare(network, mode, m) for m in METHODS}
    for _ in range(FLAGS.rounds + 1):
        for run in taken.values():
            run.round(FLAGS.seconds)
    return {
        m: {
            "seconds": run.median,
            "spread": run.spread,
            "ratio": statistics.median(runs.ratios(run, taken[PLAIN])),
        }
        for m, run in taken.items()
    }


def first(network, mode, method):
    """Returns seconds until the second step, and bytes of memory."""
    # The start of the backend, and of XLA, is no part of a first step.
    engine.stepping.start(mode != "graph")
    run = prepare(network, mode, method)
    run.go(2)
    found = {
        # Not what the step itself takes.
        "first": run.first - run.go(1),
        "memory": _peak(),
        "weights": sum(map(_bytes, run.model.trainable_weights)),
        "program": 0,
    }
    if mode == "xla":
        fresh = prepare_model(network, mode, method)
        found["program"] = engine.stepping.program_memory(fresh, run.batch)
    return found


def _bytes(weight):
    # On JAX the values are with the train step.
    return math.prod(weight.shape) * np.dtype(weight.dtype).itemsize


def _peak():
    """Returns the largest number of bytes held so far."""
    if engine.device.gpu():
        return engine.device.gpu_peak()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def device():
    """Returns the name of the GPU, or how many cores there are."""
    cores = f"{len(os.sched_getaffinity(0))} CPU cores"
    return engine.device.gpu() or cores


def spawn(backend, **work):
    """Returns what a process of its own measures on a backend."""
    command = [
        *(sys.executable, "-m", "benchmarks.step"),
        f"--worker={json.dumps(work)}",
        f"--rounds={FLAGS.rounds}",
        f"--seconds={FLAGS.seconds}",
    ]
    process = subprocess.run(
        command,
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def work(network, mode, method=None):
    """Does the work of a process; returns what is to be printed."""
    if method is None:
        return times(network, mode)
    return first(network, mode, method)


def measure(network, backend, mode):
    """Returns {method: what was measured}, and prints it as rows."""
    found = spawn(backend, network=network, mode=mode)
    for method, given in METHODS.items():
        f = found[method]
        gradients = 1 + given["ascent_steps"] if given else 1
        cells = [network, backend, mode, method, str(gradients)]
        cells += [f"{1000 * f['seconds']:.1f}", f"{f['spread']:.1%}"]
        cells += [f"{f['ratio']:.3f}", "", "", ""]
        if method in FIRST:
            f |= spawn(backend, network=network, mode=mode, method=method)
            cells[-3:-1] = f"{f['first']:.1f}", f"{f['memory'] / 2**20:.0f}"
            if f["program"]:
                cells[-1] = f"{f['program'] / 2**20:.1f}"
        print(f"| {' | '.join(cells)} |", flush=True)
    return found


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if FLAGS.worker:
        logging.set_verbosity(logging.ERROR)
        print(json.dumps(work(**json.loads(FLAGS.worker))))
        return
    print(f"On {device()}.\n")
    print(
        "| network | backend | mode | method | gradients | ms a step | spread "
        "| to plain | trace and compile, s | MiB, process | MiB, program |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|"
    )
    found = {
        (network, backend, mode): measure(network, backend, mode)
        for network in FLAGS.network
        for backend in FLAGS.backend
        for mode in FLAGS.mode
        if mode in BACKENDS[backend]
    }
    print(*targets.lines(found), sep="\n")


if __name__ == "__main__":
    app.run(main)
