r"""Where the time of a train step goes, by TensorFlow's profiler.

    python -m benchmarks.profile_step --network=resnet-18

Prints the milliseconds and the number of each kind of operation in a step, over
all threads, for plain Keras and for n-step SAM. XLA is off, since it shows as
one operation. The profiler itself costs time, so look at shares only.

Then prints the limit. To n + 1 plain steps, n ascent steps add vector
arithmetic, which moves bytes to and from memory. The number of bytes over the
bandwidth measured here is the least time that it can take.
"""

import collections
import pathlib
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import networks
from benchmarks import runs

FLAGS = flags.FLAGS
flags.DEFINE_enum("network", "cnn", list(networks.NETWORKS), "What is trained.")
flags.DEFINE_integer("steps", 10, "Steps that are profiled.", lower_bound=1)
flags.DEFINE_integer("kinds", 12, "Kinds of operations to print.")
METHODS = ("plain", "n=1", "n=3")


def profiled(run, steps):
    """Returns {kind of operation: (milliseconds, number)} of a step."""
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        run.go(steps)
        tf.profiler.experimental.stop()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    found = collections.defaultdict(lambda: [0.0, 0])
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # The executor calls what it runs "name:Kind".
                _, colon, kind = name.rpartition(":")
                if colon and kind.isidentifier() and "::" not in name:
                    found[kind][0] += event.duration_ps / 1e9 / steps
                    found[kind][1] += 1 / steps
    return found


def bandwidth(size=1 << 26, rounds=7):
    """Returns the bytes a second at which an array is scaled into another."""
    source, target = np.ones((2, size // 4), "float32")
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        np.multiply(source, 2.0, out=target)
        seconds.append(time.perf_counter() - start)
    return 2 * size / statistics.median(seconds)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    network = networks.NETWORKS[FLAGS.network]
    found, weights = {}, 0
    for method in METHODS:
        model = runs.METHODS[method](network.build())
        run = runs.Run(runs.compiled(model, False), network.batch())
        run.go(3)
        found[method] = profiled(run, FLAGS.steps)
        weights = sum(w.numpy().nbytes for w in model.trainable_weights)
    last = found[METHODS[-1]]
    kinds = sorted(last, key=lambda kind: -last[kind][0])[: FLAGS.kinds]
    print(
        f"| operation | {' | '.join(METHODS)} |\n|---|{'---|' * len(METHODS)}"
    )
    for kind in kinds:
        cells = [f"{f[kind][0]:.2f} ({f[kind][1]:.0f})" for f in found.values()]
        print(f"| {kind} | {' | '.join(cells)} |")
    totals = [f"{sum(v for v, _ in f.values()):.1f}" for f in found.values()]
    print(f"| all, ms over all threads | {' | '.join(totals)} |")
    # Norm: read g. Step: read g, write r g. Place: read z and r g, write z.
    moved, speed = 6 * weights, bandwidth()
    print(
        f"The vector arithmetic of an ascent step moves {moved / 2**20:.1f} "
        f"MiB; at {speed / 2**30:.1f} GiB/s of one thread that is "
        f"{1000 * moved / speed:.2f} ms."
    )


if __name__ == "__main__":
    app.run(main)
