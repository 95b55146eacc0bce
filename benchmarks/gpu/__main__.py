r"""Steps on a GPU: of this library on JAX, and of other libraries.

    make gpu-bundle     # where there is a package index
    make gpu-check      # on the machine with the GPU
    python -m benchmarks.gpu --small --seconds=600  # on CPUs

The machine needs JAX, optax and PyTorch. `make gpu-bundle` downloads all else.
Each library trains each network in a process of its own. First all of them
compile at the same time, and another process compares every recipe with numbers
of the float64 oracle. Then the libraries take turns, one at a time. The script
ends in time in any case, and says what it has not measured.

A step is the compiled program, without the loop of `fit`. "MiB, program" is
what XLA says of the program. The peak is the peak of the process; methods come
in the order of their rows, and all keep their weights.
"""

import os

# The workers have the GPU; this process only makes batches.
os.environ.update(KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")

import json  # noqa: E402
import pathlib  # noqa: E402
import random  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
from absl import app  # noqa: E402
from absl import flags  # noqa: E402

from benchmarks import networks  # noqa: E402
from benchmarks.gpu import racing  # noqa: E402
from benchmarks.gpu import report  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_bool("small", False, "Small networks on a CPU, to try this.")
flags.DEFINE_float("seconds", 235, "When to end.", lower_bound=10)
flags.DEFINE_float("turn", 0.3, "Seconds of a turn.", lower_bound=0)
flags.DEFINE_integer("rounds", 5, "Rounds, if there is time.", lower_bound=1)
flags.DEFINE_string("output", "gpu-check.json", "Where the numbers go.")
flags.DEFINE_string(
    "expected", "gpu-bundle/expected.npz", "Numbers of the oracle."
)
flags.DEFINE_string("jax", sys.executable, "Interpreter with optax and Flax.")
flags.DEFINE_string("torch", sys.executable, "Interpreter with PyTorch.")

CASES = (
    ("resnet-18", "float32"),
    ("resnet-18", "bfloat16"),
    ("wrn-28-10", "float32"),
    ("wrn-28-10", "bfloat16"),
    ("vit-s-16", "bfloat16"),
)
SMALL = (("wrn-10-1", "float32"), ("vit-tiny", "bfloat16"))
BATCH = 128  # Of all networks, but for the small ones.
OURS = ("plain", "n=1", "n=8", "n=3", "n=3-mean", "n=8-mean")
THEIRS = ("plain", "SAM")
COMPILED = ("plain-compiled", "SAM-compiled")  # By `torch.compile`.
COMPILING = 0.55  # Of all time; what compiles still has a tenth more.


def libraries(cases, folder):
    """Returns the `racing.Library`s of some cases, with their interpreters."""
    found = []
    for network, precision in cases:
        known = networks.ALL[network]
        if not FLAGS.small:
            known = networks.Network(known.build, BATCH, known.shape)
        x, y = known.batch()
        path = folder / f"{network}.npz"
        np.savez(path, x=x, y=y)
        arguments = [precision, network, str(path)]
        for name, methods, module, python in (
            (report.OURS, OURS, "benchmarks.gpu.ours", sys.executable),
            ("optax", THEIRS, "benchmarks.peers.jax", FLAGS.jax),
            ("PyTorch", THEIRS, "benchmarks.peers.torch", FLAGS.torch),
            ("PyTorch", COMPILED, "benchmarks.peers.torch", FLAGS.torch),
        ):
            command = module, arguments
            library = racing.Library(name, network, precision, methods, command)
            found.append((library, python))
    return found


def compare_recipes(environment, until):
    """Returns what a process says of every recipe, and of what went wrong.

    Returns:
        {"recipes": list of dicts, "error": string}.
    """
    command = [sys.executable, "-m", "tests.jax.recipes_on_device"]
    try:
        process = subprocess.run(
            [*command, f"--check={FLAGS.expected}"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=until - time.monotonic(),
        )
        output, error = process.stdout, ""
        if process.returncode:
            error = process.stderr.strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired as expired:
        output, error = (expired.stdout or b"").decode(), "no time was left"
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return {"recipes": [json.loads(line) for line in lines], "error": error}


def prepare(entered, environment, start):
    """Compiles in all libraries at once, and compares recipes meanwhile."""
    until = start + COMPILING * FLAGS.seconds
    recipes = {}
    threads = [
        threading.Thread(
            target=library.prepare, args=(python, environment, until)
        )
        for library, python in entered
    ]
    end = until + 0.1 * FLAGS.seconds
    threads.append(
        threading.Thread(
            target=lambda: recipes.update(compare_recipes(environment, end))
        )
    )
    for thread in threads:
        thread.start()
    for thread, (library, _) in zip(threads, entered, strict=False):
        thread.join(max(0, end - time.monotonic()))
        if thread.is_alive():  # It would disturb the others' times.
            library.stop()
            thread.join()
    threads[-1].join()
    return recipes


def race(entered, end):
    """Lets the libraries take turns until the end."""
    turns = [(library, m) for library, _ in entered for m in library.times]
    order = random.Random(0)
    for _ in range(FLAGS.rounds):
        order.shuffle(turns)
        for library, method in turns:
            if time.monotonic() > end:
                return
            library.turn(method, FLAGS.turn)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    start = time.monotonic()
    environment = {
        "JAX_PLATFORMS": "cpu" if FLAGS.small else "cuda",
        "KERAS_BACKEND": "jax",
        # All processes share the GPU.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **({"CUDA_VISIBLE_DEVICES": ""} if FLAGS.small else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        cases = SMALL if FLAGS.small else CASES
        entered = libraries(cases, pathlib.Path(folder))
        try:
            recipes = prepare(entered, environment, start)
            race(entered, start + 0.95 * FLAGS.seconds)
        finally:
            for library, _ in entered:
                library.close()
    raced = [library for library, _ in entered]
    write(raced, recipes, time.monotonic() - start)


def write(raced, recipes, seconds):
    """Prints the table and the targets, and writes all numbers."""
    versions = dict.fromkeys(x.versions for x in raced if x.versions)
    lines = [*report.recipe_lines(recipes), *report.target_lines(raced)]
    print(f"{'; '.join(versions)}.\n\n{report.table(raced)}\n")
    print(*lines, sep="\n")
    print(f"\n{seconds:.0f} s in all.")
    numbers = {
        "versions": list(versions),
        "seconds": seconds,
        "recipes": recipes,
        "targets": lines,
        "libraries": [
            {
                key: getattr(library, key)
                for key in (
                    *("name", "network", "precision", "first", "times"),
                    *("facts", "failures"),
                )
            }
            for library in raced
        ],
    }
    pathlib.Path(FLAGS.output).write_text(json.dumps(numbers, indent=1))


if __name__ == "__main__":
    app.run(main)
