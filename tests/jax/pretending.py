"""A worker without a library, whose methods do what may happen on a GPU."""

import os
import time

from benchmarks.peers import worker


def start(network, method, x, y, precision):
    """Returns what `worker.serve` asks for.

    Args:
        network, x, y, precision: Anything.
        method: "memory" raises as JAX does if there is no memory, "crash" ends
            the process, "hang" never answers, "slow"
            needs six seconds to be ready, "crash-late" ends the process
            in its third step. Other methods take a millisecond for a step.
    """
    if method == "memory":
        raise MemoryError("RESOURCE_EXHAUSTED: no 4 TB\n\nchunks:\n  of 8 MB")
    if method == "crash":
        os.abort()
    if method == "hang":
        time.sleep(1000)
    if method == "slow":
        time.sleep(6)
    facts = {"parameters": 1, "compile": 2.0, "taken": 0}

    def run(steps):
        facts["taken"] += steps
        if method == "crash-late" and facts["taken"] > 2:
            os.abort()
        time.sleep(steps / 1000)

    return facts, run


if __name__ == "__main__":
    worker.serve(start, "pretended 1.0")
