r"""What `fit` costs a step beside the arithmetic, on a tiny network.

    python -m benchmarks.overhead

A network of 5 weights has next to no arithmetic. Its step takes the time that
Python and TensorFlow need to call it. With `steps_per_execution` Python is
called once for many steps. The time saved is the overhead of Python. Methods
take turns.
"""

import statistics
import time

import keras
import numpy as np
from absl import app
from absl import flags

from benchmarks import runs
from benchmarks import targets

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 15, "Epochs of each way.", lower_bound=1)
flags.DEFINE_integer("steps", 400, "Steps of an epoch; a multiple of 50.")
EXECUTIONS = (1, 50)


def prepare(method, executions):
    """Returns a function that trains for an epoch, traced and warmed up."""
    net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model = runs.METHODS[method](net)
    model.compile("sgd", "mse", steps_per_execution=executions)
    x = np.zeros((FLAGS.steps * 8, 4), "float32")
    y = np.zeros((FLAGS.steps * 8, 1), "float32")

    def epoch():
        model.fit(x, y, batch_size=8, shuffle=False, verbose=0)

    epoch()
    return epoch


def microseconds():
    """Returns {(method, steps_per_execution): median of a step}."""
    ways = {(m, k): prepare(m, k) for m in runs.METHODS for k in EXECUTIONS}
    seconds = {way: [] for way in ways}
    for _ in range(FLAGS.rounds):
        for way, epoch in ways.items():
            start = time.perf_counter()
            epoch()
            seconds[way].append(time.perf_counter() - start)
    return {
        way: 1e6 * statistics.median(taken) / FLAGS.steps
        for way, taken in seconds.items()
    }


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    found = microseconds()
    one, many = EXECUTIONS
    print(
        f"| method | us a step | with steps_per_execution={many} | Python |\n"
        "|---|---|---|---|"
    )
    saved = {m: found[m, one] - found[m, many] for m in runs.METHODS}
    for m in runs.METHODS:
        print(
            f"| {m} | {found[m, one]:.0f} | {found[m, many]:.0f} "
            f"| {saved[m]:.0f} |"
        )
    for m in runs.METHODS:
        ratio = saved[m] / saved["plain"]
        print(targets.line(f"(e) Python of {m}, to plain", ratio, 1.2))


if __name__ == "__main__":
    app.run(main)
