"""Keras and keras_sam on JAX, as a worker of `benchmarks.gpu`.

A step is the one that `fit` compiles, a program that overwrites the old values.
"""

import re
import time

import jax
import keras

from benchmarks.lowered import steps
from benchmarks.peers import jax_memory
from benchmarks.peers import worker

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def case_of(network, method, precision):
    """Returns the `steps.Case` of a method such as "plain" or "n=3-mean"."""
    number = re.fullmatch(r"n=(\d+)(-mean)?", method)
    if not number and method != "plain":
        raise ValueError(
            "`method` must be 'plain', 'n=N' or 'n=N-mean'. Received: "
            f"{method!r}"
        )
    return steps.Case(
        network,
        POLICIES[precision],
        steps=int(number[1]) if number else None,
        mean=bool(number and number[2]),
    )


def start(network, method, x, y, precision):
    """Returns what `worker.serve` asks for.

    Among the facts are seconds that the compiler took, wall time and processor
    time, and the bytes of the program's memory.
    """
    trained = steps.model(case_of(network, method, precision))
    batch = jax.device_put((x, y))
    state = steps.state(trained)
    wall, processor = time.perf_counter(), time.process_time()
    step = (
        jax.jit(trained.train_step, donate_argnums=0)
        .lower(state, batch)
        .compile()
    )
    facts = {
        "parameters": sum(v.size for v in state[0]),
        "compile": time.perf_counter() - wall,
        "compile_processor": time.process_time() - processor,
        "program": steps.memory(step),
    }

    def run(number):
        nonlocal state
        for _ in range(number):
            logs, state = step(state, batch)
        jax.block_until_ready((logs, state))
        facts["peak"] = jax_memory.peak()
        facts["loss"] = float(logs["loss"])

    return facts, run


def versions():
    """Returns what this runs on, and what it runs."""
    device = jax.devices()[0].device_kind
    return f"{device}; Keras {keras.__version__}, JAX {jax.__version__}"


if __name__ == "__main__":
    worker.serve(start, versions())
