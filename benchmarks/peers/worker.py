"""What the workers of `benchmarks.peers` have in common.

A worker is a process with one library in it. It reads a line "SAM 5" from its
standard input. It answers with a line of JSON: how long five steps took, or
what went wrong. If it reads "SAM 0", it makes the model and compiles what can
be compiled ahead. It does nothing in between. This module needs only NumPy, the
one package that all environments have.
"""

import json
import os
import sys
import time

import numpy as np

# What all libraries train with.
RATE = 0.01
MOMENTUM = 0.9
RHO = 0.05


def serve(start, versions):
    """Answers the driver until it goes; what a worker does.

    The arguments of the process are those of `start`, then the name of the
    network and the path of its batch, an .npz file.

    Args:
        start: Function from (network, method, x, y, *arguments) to a dict of
            facts, and a function that trains a new model for so many steps and
            waits until the last is done. Among the facts is "parameters", how
            many numbers the model trains. The function may change the dict.
        versions: String, of what it runs.
    """
    *arguments, network, path = sys.argv[1:]
    # What else is printed, libraries do, must not get into an answer.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def answer(**items):
        print(json.dumps(items), file=output)

    answer(versions=versions)
    batch = np.load(path)
    models = {}
    for line in sys.stdin:
        method, steps = line.split()
        try:
            if method not in models:
                models[method] = start(
                    network, method, batch["x"], batch["y"], *arguments
                )
            facts, run = models[method]
            before = time.perf_counter()
            if int(steps):
                run(int(steps))
            seconds = time.perf_counter() - before
        except Exception as error:  # Any: it is a result of its own.
            answer(error=described(error))
        else:
            answer(seconds=seconds, **facts)


def described(error):
    """Returns an exception in a line.

    Of many lines TensorFlow says the cause in the last, and JAX in the first,
    after which it lists the memory that it has.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ends = dict.fromkeys([*lines[:1], *lines[-1:]])
    return ": ".join([type(error).__name__, " ... ".join(ends)])
