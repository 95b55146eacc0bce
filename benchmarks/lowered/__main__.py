r"""What compilers say of a train step on JAX, without a TPU or GPU.

    make tpu-check-jax
    python -m benchmarks.lowered --lower=cnn --compile=cnn --chip=v5e --chips=8

First JAX lowers steps for TPUs and CUDA, on one device and on 8. Then libtpu
compiles steps for TPUs that are described only. The script fails if a lowered
program has dynamic shapes, calls of the host or custom calls, or if a compiled
one misses a limit of `guard.py`. It runs nothing.

The operations are products and convolutions over all devices, counted in JAX's
program. "Said" and "bytes moved" are the compiler's own counts for a device; it
counts a loop as one round. All three are over n + 1 plain steps. Gradients
reduced are all numbers of all collectives, over the number of weights; "bytes
of them" are their bytes, over those of a gradient in float32.
"""

import itertools
import os
import sys
import time

# Before JAX: a TPU that is described here is not looked for. Nor does libtpu
# have one that other processes must not have.
os.environ.update(
    TPU_SKIP_MDS_QUERY="1",
    ALLOW_MULTIPLE_LIBTPU_LOAD="1",
    KERAS_BACKEND="jax",
    JAX_PLATFORMS="cpu",
    JAX_NUM_CPU_DEVICES="8",
)

import jax  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from benchmarks import networks  # noqa: E402
from benchmarks.lowered import compiler  # noqa: E402
from benchmarks.lowered import guard  # noqa: E402
from benchmarks.lowered import steps  # noqa: E402
from benchmarks.lowered import table  # noqa: E402

FLAGS = flags.FLAGS
NETWORKS = ["cnn", "resnet-18", "wrn-28-10", "transformer"]
KNOWN = [*networks.NETWORKS, *networks.LARGE]
STEPS = (1, 3, 8)
LOWERED_ON = (1, 8)

flags.DEFINE_multi_enum("lower", NETWORKS, [*KNOWN, "none"], "What to lower.")
flags.DEFINE_multi_enum(
    "compile",
    ["cnn", "transformer"],
    [*KNOWN, "none"],
    "What to compile. Others than these take hours on two cores.",
)
flags.DEFINE_multi_enum(
    "policy", list(steps.POLICIES), list(steps.POLICIES), "Keras's policy."
)
flags.DEFINE_multi_enum(
    "chip", list(compiler.CHIPS), list(compiler.CHIPS), "Kinds of TPU."
)
flags.DEFINE_multi_enum(
    "chips",
    list(map(str, compiler.SHAPES)),
    list(map(str, compiler.SHAPES)),
    "Their numbers.",
)
flags.DEFINE_multi_integer("steps", list(STEPS), "Numbers of ascent steps.")
flags.DEFINE_bool("unrolled", False, "Compile climbs as for a CPU: unrolled.")
flags.DEFINE_integer("batch_size", 8, "Examples on a device.", lower_bound=1)


def lower(network, policy):
    """Lowers a network's steps and prints a line; returns whether all hold."""
    start, number, found = time.perf_counter(), 0, []
    for devices, n in itertools.product(LOWERED_ON, FLAGS.steps):
        for synced in (False, True)[: 1 if devices == 1 else 2]:
            case = steps.Case(
                network, policy, n, synced, batch_size=FLAGS.batch_size
            )
            number += 1
            found += [
                f"{case.method}, {devices} devices: {fault}"
                for fault in compiler.lowered(
                    case, jax.devices()[:devices], ("tpu", "cuda")
                )
            ]
    seconds = time.perf_counter() - start
    print(
        f"{network}, {policy}: {number} steps lowered for TPU and CUDA, "
        f"{seconds:.0f} s",
        *found,
        sep="\n  FAULT ",
        flush=True,
    )
    return not found


def compile_all(network, policy, chip, number):
    """Compiles a network's steps and prints rows; returns whether all hold."""
    devices = compiler.described(chip, number)
    plain, one, several, holds = None, {}, {}, True
    for n, synced in itertools.product((None, *FLAGS.steps), (False, True)):
        if synced and (n is None or number == 1):
            continue
        case = steps.Case(
            network, policy, n, synced, batch_size=FLAGS.batch_size
        )
        figures = compiler.compiled(
            case, devices, "cpu" if FLAGS.unrolled else None
        )
        plain = plain or figures
        if n == 1:
            one[synced] = figures
        found = (
            guard.faults(case, number, figures, plain, several.get(synced))
            if n
            else []
        )
        if n and n > 1:
            several.setdefault(synced, figures)
        where = f"{number} {chip}"
        line = table.row(case, where, figures, plain, one.get(synced))
        print(line, *found, sep="\n  FAULT ", flush=True)
        holds &= not found
    return holds


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    holds = True
    for network, policy in itertools.product(FLAGS.lower, FLAGS.policy):
        if network != "none":
            holds &= lower(network, policy)
    print(f"\n{table.head()}")
    for case in itertools.product(
        FLAGS.compile, FLAGS.policy, FLAGS.chip, map(int, FLAGS.chips)
    ):
        if case[0] != "none":
            holds &= compile_all(*case)
    sys.exit(not holds)


if __name__ == "__main__":
    app.run(main)
