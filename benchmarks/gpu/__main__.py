r"""Steps on a GPU: of this library on JAX, and of other libraries.

    make gpu-bundle     # where there is a package index
    make gpu-check      # on the machine with the GPU, without a network
    make gpu-check GPU_FLAGS='--network=vit-s-16 --output=results/vit.json'
    make gpu-check GPU_FLAGS='--small --seconds=600'  # on CPUs

The machine needs JAX, optax and PyTorch. `make gpu-bundle` downloads all else.
Each library trains each network in a process of its own. First all of them
compile at the same time, and other processes compare every recipe with numbers
of the float64 oracle. Then the libraries take turns, network by network. The
script ends in time in any case, and says what it has not measured. It writes
the numbers and the table again whenever something is known.

A step is the compiled program, without the loop of `fit`. Compiling takes
longer than it would alone. "MiB, program" is what XLA says of the program. The
peak is the peak of the process, where all methods keep their weights, and where
XLA has tried algorithms.
"""

import os

# The workers have the GPU; this process only makes batches.
os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import pathlib  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from benchmarks import networks  # noqa: E402
from benchmarks.gpu import comparing  # noqa: E402
from benchmarks.gpu import contest  # noqa: E402
from benchmarks.gpu import racing  # noqa: E402
from benchmarks.gpu import record  # noqa: E402
from benchmarks.gpu import report  # noqa: E402

# The last needs most memory, and has it, since the others have ended.
CASES = (
    ("resnet-18", "float32"),
    ("resnet-18", "bfloat16"),
    ("wrn-28-10", "float32"),
    ("wrn-28-10", "bfloat16"),
    ("vit-s-16", "bfloat16"),
)
SMALL = (("wrn-10-1", "float32"), ("vit-tiny", "bfloat16"))
FLAGS = flags.FLAGS
flags.DEFINE_bool("small", False, "Small networks on a CPU, to try this.")
flags.DEFINE_multi_enum(
    "network",
    None,
    sorted({network for network, _ in (*CASES, *SMALL)}),
    "Which networks; may be repeated. By default all.",
)
flags.DEFINE_float("seconds", 235, "When to end.", lower_bound=10)
flags.DEFINE_float("turn", 0.3, "Seconds of a turn.", lower_bound=0)
flags.DEFINE_integer("rounds", 5, "Rounds, if there is time.", lower_bound=1)
flags.DEFINE_string(
    "output", "gpu-check.json", "Where the numbers go, and the table, as .md."
)
flags.DEFINE_string(
    "expected", "gpu-bundle/expected.npz", "Numbers of the oracle."
)
flags.DEFINE_integer(
    "processes", 4, "How many compare the recipes.", lower_bound=1
)
flags.DEFINE_string("jax", sys.executable, "Interpreter with optax and Flax.")
flags.DEFINE_string("torch", sys.executable, "Interpreter with PyTorch.")

BATCH = 128  # Of all networks, but for the small ones.
OURS = ("plain", "n=1", "n=8", "n=3", "n=3-mean", "n=8-mean")
THEIRS = ("plain", "SAM")
COMPILED = ("plain-compiled", "SAM-compiled")  # By `torch.compile`.
# When to do what, as parts of all time.
COMPILED_BY = 0.66  # What is not begun by then, is not compiled.
LATEST = 0.75  # What still compiles has its process ended.
RACED_BY = 0.95


def cases():
    """Returns the networks and their precisions, as the flags ask for."""
    known = SMALL if FLAGS.small else CASES
    wanted = FLAGS.network or [network for network, _ in known]
    return [case for case in known if case[0] in wanted]


def libraries(entered, folder):
    """Returns the `racing.Library`s of some cases."""
    found = []
    for network, precision in entered:
        known = networks.ALL[network]
        if not FLAGS.small:
            known = networks.Network(known.build, BATCH, known.shape)
        x, y = known.batch()
        path = folder / f"{network}.npz"
        np.savez(path, x=x, y=y)
        arguments = [precision, network, str(path)]
        # Where most methods compile one after the other goes first.
        for niceness, name, methods, python, module in (
            (0, report.OURS, OURS, sys.executable, "benchmarks.gpu.ours"),
            (5, "optax", THEIRS, FLAGS.jax, "benchmarks.peers.jax"),
            (5, "PyTorch", THEIRS, FLAGS.torch, "benchmarks.peers.torch"),
            (5, "PyTorch", COMPILED, FLAGS.torch, "benchmarks.peers.torch"),
        ):
            command = python, module, arguments
            found.append(
                racing.Library(
                    name, network, precision, methods, command, niceness
                )
            )
    return found


def environment():
    """Returns the environment variables of all workers."""
    return {
        "KERAS_BACKEND": "jax",
        # All processes share the GPU.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        # Else an error ends with advice in place of the cause.
        "JAX_TRACEBACK_FILTERING": "off",
        # Else `torch.compile` starts as many for each process as there are
        # cores.
        "TORCHINDUCTOR_COMPILE_THREADS": "4",
        # Not "cuda,cpu": without a GPU JAX would take the CPU, and say nothing.
        "JAX_PLATFORMS": "cpu" if FLAGS.small else "cuda",
        **({"CUDA_VISIBLE_DEVICES": ""} if FLAGS.small else {}),
    }


def card():
    """Returns what NVIDIA's driver says of the GPU, or what this runs on."""
    if FLAGS.small:
        return f"{os.cpu_count()} cores"
    if not shutil.which("nvidia-smi"):
        sys.exit("There is no GPU, since there is no nvidia-smi: use --small")
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version"]
    return subprocess.run(
        [*command, "--format=csv,noheader"], capture_output=True, text=True
    ).stdout.strip()


def check(entered, recipes, note, start):
    """Compiles and compares, then lets the libraries take turns."""
    until, last, end = (
        start + part * FLAGS.seconds for part in (COMPILED_BY, LATEST, RACED_BY)
    )
    comparison = threading.Thread(
        target=recipes.compare, args=(environment(), last, note)
    )
    comparison.start()
    contest.prepare(entered, environment(), until, last, note)
    comparison.join()  # It would disturb the times.
    print(f"compiled in {time.monotonic() - start:.0f} s", flush=True)
    contest.race(entered, end, FLAGS.turn, FLAGS.rounds, note)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if not cases():
        raise app.UsageError("With --small there are only small networks.")
    start = time.monotonic()
    device = card()
    recipes = comparing.Recipes(FLAGS.expected, FLAGS.processes)
    with tempfile.TemporaryDirectory() as folder:
        entered = libraries(cases(), pathlib.Path(folder))
        files = record.Record(FLAGS.output, device, entered, recipes)
        try:
            check(entered, recipes, files.write, start)
        finally:
            for library in entered:
                library.close()
    print(files.write(finished=True))
    if not any(library.times for library in entered):
        sys.exit("Nothing was measured.")


if __name__ == "__main__":
    app.run(main)
