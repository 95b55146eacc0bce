"""Compares SGD, SAM and multi-step SAM on noisy labels, several seeds each.

    python -m examples.compare --output_dir=demo

Every run is a run of train.py, and you may give every flag of train.py.
Finished runs are not repeated. The defaults train two dense layers on 8x8
digits with 30 % wrong training labels. The radius, 0.4, is the one that
docs/study.md chose for SAM (sharpness-aware minimization) and this network, on
other seeds than these. All methods have it. Runs share the machine, so compare
their seconds with each other only.
"""

import csv
import pathlib
import re
import types

from absl import app
from absl import flags

import keras_sam
from examples import data
from examples import options
from examples import pool
from examples import progress
from examples import runs
from examples import summary
from examples import usage

METHODS = {
    "SGD": {"method": "sgd", "rho": None},
    "SAM": {"method": "sam"},
    "multi-step SAM, n = 3": {"method": "multistep_last"},
    "multi-step SAM, n = 3, mean": {"method": "multistep_mean"},
    "the same, matched radius": {"method": "multistep_matched"},
}
# The study had seeds below 20 for its choice, and 100 and 101 to try.
FIRST_SEED = 200
DEFAULTS = {
    "model": "mlp",
    "rho": 0.4,
    "label_noise": 0.3,
    "steps_per_execution": 11,  # An epoch: less to do between steps.
    "tensorboard": False,
}
_VARIED = ("seed", "noise_seed", "method", "ascent_steps", "descent")

FLAGS = flags.FLAGS
flags.DEFINE_integer("seeds", 6, "Runs of each method.", lower_bound=1)
GROUPS = {"Comparison": ("seeds", "jobs"), **options.GROUPS}


def plan(settings, seeds):
    """Returns (method, seed, settings) of every run.

    A seed draws label noise, initial weights and data order, the same for
    every method.
    """
    root = pathlib.Path(settings.output_dir) / "runs"
    planned = []
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        for method, changes in METHODS.items():
            changes = {
                **changes,
                "seed": seed,
                "noise_seed": seed,
                "output_dir": str(root / f"{_file_name(method)}-seed-{seed}"),
            }
            run = types.SimpleNamespace(**{**vars(settings), **changes})
            planned.append((method, seed, run))
    return planned


def _file_name(method):
    return re.sub(r"\W+", "-", method.lower())


def run_all(planned, jobs):
    """Runs the plan; returns {method: [result of each seed]}."""
    todo = [run for run in planned if not _is_finished(run)]
    print(
        f"{len(planned)} runs, {jobs} at a time; "
        f"{len(planned) - len(todo)} are finished.",
        flush=True,
    )
    results = {method: [] for method in METHODS}
    with (
        pool.executor(jobs) as processes,
        progress.Progress(
            "Run",
            len(planned),
            before=len(planned) - len(todo),
            work=sum(map(_gradients, todo)),
        ) as shown,
    ):
        finished = processes.map(
            pool.run_one, [settings for _, _, settings in planned]
        )
        for run, result in zip(planned, finished, strict=True):
            method, seed, _ = run
            results[method].append(result)
            if run in todo:
                shown.done(
                    f"{method}, seed {seed}: "
                    f"test accuracy {result['test_accuracy']:.4f}, "
                    f"{result['train_seconds']:.1f} s",
                    _gradients(run),
                )
    return results


def _is_finished(run):
    _, _, settings = run
    return (pathlib.Path(settings.output_dir) / "result.json").exists()


def _gradients(run):
    """Returns the gradients of a train step."""
    _, _, settings = run
    recipe = keras_sam.recipes.RECIPES[settings.method].arguments
    return 1 + recipe.get("ascent_steps", 1)


def report(results, settings):
    """Writes the comparison and prints its table."""
    folder = pathlib.Path(settings.output_dir)
    rows = summary.summarize(results)
    common = {k: v for k, v in vars(settings).items() if k not in _VARIED}
    runs.write_json(
        folder / "comparison.json",
        {
            "rows": rows,
            "test_accuracies": {
                method: [result["test_accuracy"] for result in of_method]
                for method, of_method in results.items()
            },
            "settings": {
                k: v for k, v in common.items() if k not in options.PLACES
            },
            "methods": METHODS,
        },
    )
    with (folder / "comparison.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    summary.plot(
        results,
        folder / "curves.png",
        f"{settings.model} on {settings.dataset}, "
        f"{settings.label_noise:.0%} wrong training labels, "
        f"mean ± deviation of {rows[0]['seeds']} seeds",
    )
    print(f"\n{summary.table(rows)}\n")
    print(f"See {folder}/comparison.json and {folder}/curves.png")


def main(argv):
    given = [f"--{name}" for name in _VARIED if FLAGS[name].present]
    if given:
        raise app.UsageError(f"The comparison itself sets {', '.join(given)}.")
    settings = options.settings()
    if settings.strategy == "multi_worker":
        raise app.UsageError("A comparison is of runs on this machine alone.")
    data.load(settings.dataset, settings.data_dir)  # Once, before the runs.
    planned = plan(settings, FLAGS.seeds)
    jobs = pool.jobs(settings.strategy, len(planned))
    report(run_all(planned, jobs), settings)


if __name__ == "__main__":
    for name, value in DEFAULTS.items():
        FLAGS.set_default(name, value)
    usage.run(main, GROUPS)
