r"""Step time of the published methods, to that of plain Keras.

    python -m benchmarks.methods
    python -m benchmarks.methods --method=sam --method=looksam --model=resnet-18

Methods take turns, a round of steps each, so that a change of the machine's
load meets all of them. Beside the time stands what was evaluated in it: the
gradients a step, as `examples.methods.evaluations` counts them, from the steps
that have climbed. A pass that only goes forward counts there as one, so that
K-SAM and the like are faster than that, and what happens once in a `period` is
not counted, but timed. Parts that go by the length of the training get that of
the benchmark.
"""

import dataclasses
import statistics
import time
import types

import keras
import numpy as np
from absl import app
from absl import flags

import keras_sam
from examples import methods
from examples import models

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "cnn", "Network of examples/models.py.")
flags.DEFINE_integer("batch_size", 64, "Images a step.", lower_bound=1)
flags.DEFINE_integer("rounds", 10, "Rounds of each method.", lower_bound=1)
flags.DEFINE_integer(
    "steps", 20, "Steps of a round; a multiple of every k.", lower_bound=1
)
flags.DEFINE_bool("jit_compile", False, "Whether XLA compiles the whole step.")
flags.DEFINE_multi_enum(
    "method",
    list(keras_sam.recipes.RECIPES),
    list(keras_sam.recipes.RECIPES),
    "What to measure; may be repeated.",
)
PLAIN = "plain Keras"


@dataclasses.dataclass
class Run:
    """A model that trains, and the seconds that its rounds took."""

    model: keras.Model
    seconds: list = dataclasses.field(default_factory=list)

    def go(self, batch):
        start = time.perf_counter()
        for _ in range(FLAGS.steps):
            self.model.train_on_batch(*batch)
        self.seconds.append(time.perf_counter() - start)

    def milliseconds(self):
        """The median over the rounds, of a step."""
        return 1000 * statistics.median(self.seconds) / FLAGS.steps

    def evaluations(self):
        """The gradients a step, or None for a model of Keras's."""
        if not isinstance(self.model, keras_sam.SAM):
            return 1.0
        steps = int(self.model.optimizer.iterations)
        climbs = steps if self.model.climbs is None else self.model.climbs
        return 1 + climbs / steps * methods.evaluations(self.model)


def prepare(name, batch):
    """Returns the `Run` of a method, traced and warmed up."""
    model = models.build(FLAGS.model, batch[0].shape[1:], 10)
    if name != PLAIN:
        unset = {n: None for n in (*methods.OTHERS, *methods.PARTS)}
        settings = types.SimpleNamespace(method=name, **unset)
        steps = FLAGS.steps * (FLAGS.rounds + 1)
        model = keras_sam.SAM(model, **methods.arguments(settings, steps))
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=FLAGS.jit_compile,
    )
    run = Run(model)
    run.go(batch)
    run.seconds.clear()
    return run


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    random = np.random.RandomState(0)
    images = random.normal(size=(FLAGS.batch_size, 32, 32, 3))
    batch = images.astype("float32"), np.arange(FLAGS.batch_size) % 10
    runs = {n: prepare(n, batch) for n in (PLAIN, *FLAGS.method)}
    for _ in range(FLAGS.rounds):
        for run in runs.values():
            run.go(batch)
    print("| method | ms a step | to plain Keras | gradients a step |")
    print("|---|---|---|---|")
    for name, run in runs.items():
        ratio = run.milliseconds() / runs[PLAIN].milliseconds()
        print(
            f"| {name} | {run.milliseconds():.1f} | {ratio:.2f} "
            f"| {run.evaluations():.2f} |"
        )


if __name__ == "__main__":
    app.run(main)
