r"""What a process keeps of trainings that are over.

    python -m benchmarks.memory
    python -m benchmarks.memory --method=plain --method=n=1 --trainings=20

A process makes a model, trains it for two steps, deletes it, and begins again.
After each training the garbage is collected, and the memory of the process is
read. The table has its slope over all but the first fifth of the trainings.
"Graphs" is how many graphs of TensorFlow a training leaves behind, and "nodes"
is the size of the graph of its train step, nested functions included. Each
method has a process of its own, since a process keeps memory that it has freed.
"""

import contextlib
import gc
import json
import subprocess
import sys

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

import keras_sam
from benchmarks import networks
from benchmarks import runs
from benchmarks import targets
from keras_sam import cadences
from keras_sam import descents

FLAGS = flags.FLAGS
PLAIN = "plain"
REPLICAS = ", 2 replicas"
METHODS = {
    PLAIN: None,
    "n=0": {"ascent_steps": 0},
    "n=1": {},
    "n=3 mean": {"ascent_steps": 3, "descent": descents.Mean()},
    "every 3rd": {"cadence": cadences.Every(3)},
    "tracked": {"track": True},
    PLAIN + REPLICAS: None,
    "n=1" + REPLICAS: {},
}
flags.DEFINE_multi_enum(
    "method", list(METHODS), list(METHODS), "What is measured."
)
flags.DEFINE_integer("trainings", 50, "Trainings of a method.", lower_bound=10)
flags.DEFINE_string("worker", "", "The method to measure in this process.")
NETWORK = networks.NETWORKS["mlp"]
TIMEOUT = 3600  # Seconds of one process.


def strategy(method):
    """Returns the strategy of a method, None on one device."""
    if not method.endswith(REPLICAS):
        return None
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def made(method, within):
    """Returns a compiled model."""
    with within.scope() if within else contextlib.nullcontext():
        model = NETWORK.build()
        if METHODS[method] is not None:
            model = keras_sam.SAM(model, **METHODS[method])
        return runs.compiled(model, False)


def resident():
    """Returns the bytes of this process that are in memory."""
    with open("/proc/self/status") as status:
        (line,) = [line for line in status if line.startswith("VmRSS:")]
    return 1024 * int(line.split()[1])


def graphs():
    """Returns how many graphs are alive."""
    return sum(issubclass(type(o), tf.Graph) for o in gc.get_objects())


def nodes(model, batch, within):
    """Returns how many nodes the graph of a train step has."""
    within = within or tf.distribute.get_strategy()
    step = tf.function(lambda data: within.run(model.train_step, args=(data,)))
    definition = step.get_concrete_function(batch).graph.as_graph_def()
    functions = definition.library.function
    return len(definition.node) + sum(len(f.node_def) for f in functions)


def measure(method):
    """Returns what is measured in a process of its own."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, 2 * [tf.config.LogicalDeviceConfiguration()]
    )
    within, (x, y) = strategy(method), NETWORK.batch()
    found, alive = [], []
    for _ in range(FLAGS.trainings):
        model = made(method, within)
        model.fit(x, y, batch_size=len(x) // 2, verbose=0)
        del model
        gc.collect()
        found.append(resident())
        alive.append(graphs())
    first = FLAGS.trainings // 5
    model = made(method, within)
    model.fit(x, y, batch_size=len(x) // 2, verbose=0)
    return {
        "slope": _slope(found[first:]),
        "graphs": _slope(alive[first:]),
        "nodes": nodes(model, (x, y), within),
    }


def _slope(values):
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def spawn(method):
    """Returns what `measure` returns in another process."""
    command = [
        *(sys.executable, "-m", "benchmarks.memory"),
        *(f"--worker={method}", f"--trainings={FLAGS.trainings}"),
    ]
    process = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True
    )
    return json.loads(process.stdout.splitlines()[-1])


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if FLAGS.worker:
        logging.set_verbosity(logging.ERROR)
        print(json.dumps(measure(FLAGS.worker)))
        return
    print(
        "| method | MiB a training | graphs left | nodes of a step |\n"
        "|---|---|---|---|"
    )
    found = {}
    for method in FLAGS.method:
        f = found[method] = spawn(method)
        print(
            f"| {method} | {f['slope'] / 2**20:.2f} | {f['graphs']:.1f} "
            f"| {f['nodes']:,} |",
            flush=True,
        )
    for method, f in found.items():
        plain = PLAIN + REPLICAS if method.endswith(REPLICAS) else PLAIN
        if METHODS[method] is not None and plain in found:
            ratio = f["slope"] / found[plain]["slope"]
            print(targets.line(f"(f) growth by {method}, to plain", ratio, 1.0))


if __name__ == "__main__":
    app.run(main)
