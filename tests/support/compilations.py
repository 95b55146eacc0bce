"""Says which programs XLA compiles for a step. `guard_xla_test.py` runs this.

    python -m tests.support.compilations FOLDER

XLA writes each program that it compiles into the folder.
"""

import os
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])
# XLA reads the flags once. Less optimized code has the same buffers.
os.environ["XLA_FLAGS"] = (
    f"--xla_dump_to={FOLDER} --xla_backend_optimization_level=0"
)

from tests.support import testing  # noqa: E402, isort: skip

import keras  # noqa: E402

import keras_sam  # noqa: E402
from benchmarks import programs  # noqa: E402
from keras_sam import descents  # noqa: E402
from tests.support import processes  # noqa: E402
from tests.support import small_networks  # noqa: E402

# The networks whose programs are looked at. To compile more takes long.
LOOKED_AT = ("mlp", "cnn", "embedding")
HOST = {"infeed", "outfeed", "recv", "recv-done", "send", "send-done"}
# Instructions with dynamic shapes, which make TPUs pad. XLA's optimization
# removes them, so the tests look at programs before it.
DYNAMIC = {"get-dimension-size", "set-dimension-size", "dynamic-reshape"}


def compiled(network, compiling=None, **given):
    """Returns a wrapper that can be trained."""
    sam = keras_sam.SAM(network.build(), **given)
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        testing.cross_entropy(),
        **(compiling or {}),
    )
    return sam


def compilations(sam, batch, steps=3):
    """Says what XLA compiles in each of a few train steps.

    Returns:
        (list of the numbers of programs, list of the dynamic shapes in them).
    """
    found = [{*FOLDER.glob("*.before_optimizations.txt")}]
    for _ in range(steps):
        sam.train_on_batch(*batch)
        found.append({*FOLDER.glob("*.before_optimizations.txt")})
    numbers = [len(after - before) for before, after in zip(found, found[1:])]
    return numbers, dynamic(found[-1] - found[0])


def dynamic(files):
    """Returns the dynamic shapes in programs, by instructions."""
    text = "".join(file.read_text() for file in files)
    return sorted(name for name in DYNAMIC if f" {name}(" in text)


def program(network, steps, descent):
    """Returns (bytes of temporary memory, what the program asks the host)."""
    sam = compiled(network, ascent_steps=steps, descent=descent)
    proto = programs.compiled(sam, network.batch())
    instructions = [
        instruction
        for computation in proto.hlo_module.computations
        for instruction in computation.instructions
    ]
    asked = HOST & {instruction.opcode for instruction in instructions}
    # Libraries of kernels have targets such as "__onednn$matmul".
    targets = {i.custom_call_target for i in instructions} - {""}
    asked |= {target for target in targets if not target.startswith("__")}
    return programs.memory(proto).temporary, sorted(asked)


def compiles(network):
    """Returns the `compilations` of a step, and of its evaluations alone."""
    step = compiled(network, {"jit_compile": True})
    evaluations = compiled(network, ascent_steps=3, xla=True)
    return [compilations(sam, network.batch()) for sam in (step, evaluations)]


def programs_of(network):
    """Returns the `program` of one, two, three steps, and of their mean."""
    return {
        "last": [program(network, n, descents.Last()) for n in (1, 2, 3)],
        "mean": program(network, 3, descents.Mean()),
        "weights": [
            [w.path, w.value.numpy().nbytes]
            for w in network.build().trainable_weights
        ],
    }


if __name__ == "__main__":
    networks = small_networks.NETWORKS
    processes.say(
        {
            "compiles": {n: compiles(networks[n]) for n in networks},
            "programs": {n: programs_of(networks[n]) for n in LOOKED_AT},
        }
    )
