r"""The memory of a train step with and without gradient checkpointing.

    python -m benchmarks.checkpointing

A Transformer of 12 blocks trains for some steps, plainly and with SAM, with its
blocks as they are and in `keras.remat`. Each training has a process of its own.
The benchmark prints by how much a step raises the peak of resident memory above
that of a step on a single example, and the seconds of a step.
"""

import json
import resource
import subprocess
import sys
import time

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sam

FLAGS = flags.FLAGS
flags.DEFINE_integer("blocks", 12, "Blocks of the Transformer.", lower_bound=1)
flags.DEFINE_integer("batch", 32, "Examples of a batch.", lower_bound=1)
flags.DEFINE_integer("length", 128, "Tokens of an example.", lower_bound=1)
flags.DEFINE_integer("width", 64, "Features of a token.", lower_bound=8)
flags.DEFINE_bool("xla", False, "Whether XLA compiles the step.")
flags.DEFINE_string("only", None, "A training, as `method,remat`: measures it.")

METHODS = {
    "plain": lambda model: model,
    "SAM": keras_sam.SAM,
    "n=3 mean": lambda model: keras_sam.SAM(
        model, ascent_steps=3, descent=keras_sam.descents.Mean()
    ),
}


class Block(keras.layers.Layer):
    """A block of a Transformer; with `remat` it is computed again."""

    def __init__(self, width, remat):
        super().__init__()
        self.attention = keras.layers.MultiHeadAttention(4, width // 4)
        self.norms = [keras.layers.LayerNormalization() for _ in range(2)]
        self.wide = keras.layers.Dense(4 * width, activation="gelu")
        self.narrow = keras.layers.Dense(width)
        self.function = keras.remat(self.inner) if remat else self.inner

    def inner(self, x):
        z = self.norms[0](x)
        x = x + self.attention(z, z)
        return x + self.narrow(self.wide(self.norms[1](x)))

    def call(self, x):
        return self.function(x)


def transformer(remat):
    inputs = keras.Input((FLAGS.length, FLAGS.width))
    x = inputs
    for _ in range(FLAGS.blocks):
        x = Block(FLAGS.width, remat)(x)
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def peak():
    """Returns the largest resident memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(method, remat):
    """Returns (MiB that a step adds, seconds of a step)."""
    keras.utils.set_random_seed(0)
    model = METHODS[method](transformer(remat))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=FLAGS.xla)
    x = np.random.RandomState(0).normal(
        size=(FLAGS.batch, FLAGS.length, FLAGS.width)
    )
    y = np.zeros(FLAGS.batch, int)
    for _ in range(2):
        model.train_on_batch(x[:1], y[:1])
    before, seconds = peak(), []
    for _ in range(4):
        start = time.perf_counter()
        model.train_on_batch(x, y)
        seconds.append(time.perf_counter() - start)
    return peak() - before, min(seconds)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    if FLAGS.only:
        method, remat = FLAGS.only.split(",")
        print(json.dumps(measure(method, remat == "True")))
        return
    print(
        "| method | checkpoints | MiB of a step | seconds |\n|---|---|---|---|"
    )
    for method in METHODS:
        for remat in (False, True):
            command = [sys.executable, "-m", "benchmarks.checkpointing"]
            command += sys.argv[1:] + [f"--only={method},{remat}"]
            out = subprocess.run(command, check=True, capture_output=True)
            mebibytes, seconds = json.loads(out.stdout.splitlines()[-1])
            print(
                f"| {method} | {'yes' if remat else 'no'} | {mebibytes:.0f} "
                f"| {seconds:.2f} |"
            )


if __name__ == "__main__":
    app.run(main)
