r"""Step time of sharpness-aware minimization (SAM) on several replicas.

    python -m benchmarks.replicas
    python -m benchmarks.replicas --model=wrn-10-2 --batch_size=128

Cuts one global batch for 1, 2 and 4 logical CPUs under `MirroredStrategy`, and
for 1 and 2 processes under `MultiWorkerMirroredStrategy`. All share the cores
of this machine, so more replicas cannot be faster here. Look at the ratio of
SAM to plain Keras under the same strategy, and at the cost of collectives. To
measure that cost, the script leaves collectives out: every replica keeps its
own numbers instead of the sum.

Every layout has processes of its own. Within a layout, methods take turns step
by step. So a change of the machine's load affects all of them.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

from benchmarks import runs
from examples import models
from examples import ports

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "cnn", "Network of examples/models.py.")
flags.DEFINE_integer("batch_size", 64, "Images a step, over all replicas.")
flags.DEFINE_integer("rounds", 20, "Measured steps of each method.")
# Name: (processes, replicas in each).
LAYOUTS = {
    "1 replica": (1, 1),
    "2 replicas": (1, 2),
    "4 replicas": (1, 4),
    "1 worker": (1, 0),
    "2 workers": (2, 0),
}
flags.DEFINE_multi_enum(
    "layout", list(LAYOUTS), list(LAYOUTS), "What to measure; may be repeated."
)
flags.DEFINE_bool("spawn", True, "Whether to measure in other processes.")

TIMEOUT = 900  # Seconds for one layout.


def measure(layout):
    """Returns {method: [median ms a step, the same without collectives]}."""
    devices = LAYOUTS[layout][1]
    if devices:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )
        strategy = tf.distribute.MirroredStrategy(
            [f"CPU:{i}" for i in range(devices)]
        )
    else:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    steps = {}
    for name, wrap in runs.METHODS.items():
        steps[name, True] = step(strategy, wrap)
        with mock.patch.object(
            tf.distribute.ReplicaContext, "all_reduce", kept
        ):
            steps[name, False] = step(strategy, wrap)
    seconds = {key: [] for key in steps}
    for _ in range(FLAGS.rounds):
        for key, run in steps.items():
            start = time.perf_counter()
            run()
            seconds[key].append(time.perf_counter() - start)
    return {
        name: [
            1000 * statistics.median(seconds[name, collectives])
            for collectives in (True, False)
        ]
        for name in runs.METHODS
    }


def kept(context, reduce_op, value, options=None):
    """Stands in for `ReplicaContext.all_reduce`: each keeps its own."""
    del context, reduce_op, options
    return value


def step(strategy, wrap):
    """Returns a function that runs one step, traced and warmed up."""
    with strategy.scope():
        model = wrap(models.build(FLAGS.model, (32, 32, 3), 10))
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.optimizer.build(model.trainable_variables)
    x = np.random.RandomState(0).normal(size=(FLAGS.batch_size, 32, 32, 3))
    batches = tf.data.Dataset.from_tensors(
        (x.astype("float32"), np.arange(FLAGS.batch_size) % 10)
    ).repeat()
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    # Threads that tune an iterator may take a minute to end.
    options.autotune.enabled = False
    iterator = iter(
        strategy.experimental_distribute_dataset(batches.with_options(options))
    )

    # One step function for all: Keras's own fails with several workers.
    @tf.function(reduce_retracing=True, autograph=False)
    def train(batch):
        logs = strategy.run(model.train_step, args=(batch,))
        return strategy.reduce("MEAN", logs["loss"], axis=None)

    def run():
        return float(train(next(iterator)))

    for _ in range(3):
        run()
    return run


def spawn(layout):
    """Measures a layout in processes of its own."""
    workers = LAYOUTS[layout][0]
    addresses = ports.free_addresses(workers)
    command = [sys.executable, "-m", "benchmarks.replicas"]
    command += [
        f"--model={FLAGS.model}",
        f"--batch_size={FLAGS.batch_size}",
        f"--rounds={FLAGS.rounds}",
        f"--layout={layout}",
        "--nospawn",
    ]
    processes = []
    try:
        for index in range(workers):
            config = {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
            environment = dict(os.environ)
            if not LAYOUTS[layout][1]:
                environment["TF_CONFIG"] = json.dumps(config)
            processes.append(
                subprocess.Popen(
                    command, env=environment, stdout=subprocess.PIPE, text=True
                )
            )
        output, _ = processes[0].communicate(timeout=TIMEOUT)
    finally:
        for process in processes:
            process.kill()
    return json.loads(output.splitlines()[-1])


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if not FLAGS.spawn:
        logging.set_verbosity(logging.ERROR)
        print(json.dumps(measure(FLAGS.layout[0])))
        return
    print("| layout | method | ms a step | to plain | collectives |")
    print("|---|---|---|---|---|")
    for layout in FLAGS.layout:
        times = spawn(layout)
        for method, (whole, alone) in times.items():
            print(
                f"| {layout} | {method} | {whole:.1f} "
                f"| {whole / times['plain'][0]:.2f} "
                f"| {1 - alone / whole:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
