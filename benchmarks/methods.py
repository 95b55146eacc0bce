r"""Step time of the published methods, compared with plain Keras.

    python -m benchmarks.methods
    python -m benchmarks.methods --network=wrn-16-4 --method=sam --method=gsam

Methods take turns, a round of steps each. So a change of the machine's load
affects all of them. Beside the time stands the number of gradients a step.
`examples.methods.evaluations` counts them, from the steps that climbed. It
counts a forward pass as one gradient, so K-SAM and similar methods are faster
than their number. Work that is done once in a `period` is timed, but not
counted. Parts that depend on the length of the training get the length of the
benchmark.
"""

import statistics
import types

from absl import app
from absl import flags

import keras_sam
from benchmarks import networks
from benchmarks import runs
from examples import methods

FLAGS = flags.FLAGS
flags.DEFINE_enum("network", "cnn", list(networks.NETWORKS), "What is trained.")
flags.DEFINE_integer("rounds", 10, "Rounds of each method.", lower_bound=2)
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


def evaluations(model):
    """Returns the gradients a step that a model has evaluated so far."""
    if not isinstance(model, keras_sam.SAM):
        return 1.0
    steps = int(model.optimizer.iterations)
    climbs = steps if model.climbs is None else model.climbs
    return 1 + climbs / steps * methods.evaluations(model)


def prepare(name):
    """Returns the `runs.Run` of a method, traced and warmed up."""
    network = networks.NETWORKS[FLAGS.network]
    model = network.build()
    if name != PLAIN:
        unset = {n: None for n in (*methods.OTHERS, *methods.PARTS)}
        settings = types.SimpleNamespace(method=name, **unset)
        steps = FLAGS.steps * (FLAGS.rounds + 1)
        model = keras_sam.SAM(model, **methods.arguments(settings, steps))
    run = runs.Run(runs.compiled(model, FLAGS.jit_compile), network.batch())
    run.go(FLAGS.steps)
    return run


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    taken = {name: prepare(name) for name in (PLAIN, *FLAGS.method)}
    for _ in range(FLAGS.rounds + 1):
        for run in taken.values():
            run.seconds.append(run.go(FLAGS.steps) / FLAGS.steps)
    print("| method | ms a step | to plain Keras | gradients a step |")
    print("|---|---|---|---|")
    for name, run in taken.items():
        ratio = statistics.median(runs.ratios(run, taken[PLAIN]))
        print(
            f"| {name} | {1000 * run.median:.1f} | {ratio:.2f} "
            f"| {evaluations(run.model):.2f} |"
        )


if __name__ == "__main__":
    app.run(main)
