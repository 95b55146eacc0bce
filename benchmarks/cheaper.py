r"""What cheaper climbs cost, and what accuracy they keep.

    python -m benchmarks.cheaper --output_dir=cheaper

Accuracy comes from `examples/train.py` on digits with 30 % wrong training
labels, as in `make demo`. The methods share seeds, so the differences from
exact SAM are differences of pairs. Cost is step time to plain Keras; the
methods take turns. The network for the cost is another one, large enough that
arithmetic is the cost.
"""

import pathlib
import statistics
import types

import keras
from absl import app
from absl import flags

import keras_sam
from benchmarks import networks
from benchmarks import runs
from examples import options
from examples import paired
from examples import pool
from examples import train

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 5, "Trainings of each method.", lower_bound=2)
flags.DEFINE_enum("network", "cnn", list(networks.NETWORKS), "What is timed.")
flags.DEFINE_integer("rounds", 10, "Rounds of each method.", lower_bound=3)
flags.DEFINE_float("seconds", 0.5, "Seconds of a round of a method.")
flags.adopt_module_key_flags(options)
flags.adopt_module_key_flags(pool)

PLAIN, EXACT = "SGD", "SAM"
_HALF = {"mixed_precision": "mixed_bfloat16"}


def _sampled(fraction):
    samples = f"Drawn(fraction={fraction})"
    return {"method": "sub_batch", "ascent_samples": samples}


# What a method is in the flags of examples/train.py.
METHODS = {
    PLAIN: {"method": "sgd"},
    EXACT: {"method": "sam"},
    "SAM, n = 3": {"method": "multistep_last"},
    "climb on a half of the batch": _sampled(0.5),
    "climb on a quarter": _sampled(0.25),
    "K-SAM, all on a quarter": {"method": "k_sam"},
    "climb along the last gradient": {"method": "stale"},
    "climb along the momentum": {"method": "momentum"},
    "every 2nd step": {"method": "sam", "cadence": "Every(k=2)"},
    "every 5th step": {"method": "sam", "cadence": "Every(k=5)"},
    "LookSAM": {"method": "looksam"},
    "SGD, all in bfloat16": {"method": "sgd", **_HALF},
    "SAM, all in bfloat16": {"method": "sam", **_HALF},
}


def settings(method, **changes):
    """Returns the flags of a training, as attributes."""
    given = {**vars(options.settings()), **METHODS[method], **changes}
    return types.SimpleNamespace(**given)


def accuracies():
    """Returns {method: [test accuracy of each seed]}."""
    root = pathlib.Path(FLAGS.output_dir)
    planned = [
        settings(
            method,
            seed=seed,
            noise_seed=seed,
            output_dir=str(root / f"{index}-{seed}"),
        )
        for index, method in enumerate(METHODS)
        for seed in range(FLAGS.seeds)
    ]
    with pool.executor(pool.jobs("none", len(planned))) as processes:
        results = processes.map(pool.run_one, planned)
        found = [result["test_accuracy"] for result in results]
    return {
        method: found[i * FLAGS.seeds : (i + 1) * FLAGS.seeds]
        for i, method in enumerate(METHODS)
    }


def prepare(method):
    """Returns the `runs.Run` of a method, traced and warmed up."""
    chosen, network = settings(method), networks.NETWORKS[FLAGS.network]
    keras.config.set_dtype_policy(chosen.mixed_precision)
    model = network.build()
    if method != PLAIN:
        steps = 10_000  # For parts that go by the length of the training.
        model = keras_sam.SAM(model, **train.sam_arguments(chosen, steps))
    return runs.Run(runs.compiled(model, False), network.batch())


def ratios():
    """Returns {method: median ratio of its step time to plain Keras's}."""
    taken = {method: prepare(method) for method in METHODS}
    for _ in range(FLAGS.rounds + 1):
        for run in taken.values():
            run.round(FLAGS.seconds, multiple=10)
    return {
        method: statistics.median(runs.ratios(run, taken[PLAIN]))
        for method, run in taken.items()
    }


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    cost, accuracy = ratios(), accuracies()
    print(
        f"| method | step to plain | test accuracy, {FLAGS.seeds} seeds "
        "| less that of SAM, points | 95 % interval |\n|---|---|---|---|---|"
    )
    for method, found in accuracy.items():
        pairs = zip(found, accuracy[EXACT], strict=True)
        less = paired.interval([100 * (one - other) for one, other in pairs])
        print(
            f"| {method} | {cost[method]:.2f} | {statistics.mean(found):.4f} "
            f"| {less.mean:+.2f} | {less.low:+.2f} to {less.high:+.2f} |"
        )


if __name__ == "__main__":
    FLAGS.set_default("label_noise", 0.3)
    FLAGS.set_default("tensorboard", False)
    app.run(main)
