r"""Does multi-step SAM (arXiv:2302.10181) gain from its steps, or from radius?

    python -m examples.study --output_dir=study
    python -m examples.study --output_dir=study-cifar --config=full \
        --strategy=mirrored --mixed_precision=mixed_bfloat16
    python -m examples.study --output_dir=study-sharper --config=sharper \
        --known=study/results.csv

Trains SGD, SAM (sharpness-aware minimization) and multi-step SAM with the last
and the mean gradient, at split and at matched radius. Numbers of steps, radii,
fractions of wrong labels and seeds vary: grid.py has the grid and the
comparisons. Every run is a run of train.py. Flags of train.py hold for all
runs. `--config=small`, the default, is for two cores. `--config=sharper` has
fewer arms and more seeds, and takes from `--known` what it need not run again.
`--config=full` is CIFAR-10 and CIFAR-100 and needs GPUs; `--dry_run` says how
much work it is. `--config=smoke` takes a minute.

The same command continues an interrupted study. `results.csv` has a row for
each finished run. Figures and tables come from this file alone
(`--only=analyse`).
"""

import pathlib

from absl import app
from absl import flags

from examples import options
from examples import usage
from examples.study import figures
from examples.study import grid
from examples.study import report
from examples.study import runner
from examples.study import table

FLAGS = flags.FLAGS
flags.DEFINE_enum("config", "small", list(grid.CONFIGS), "What to run.")
flags.DEFINE_enum(
    "only", None, ["run", "analyse"], "Only the runs, or only the analysis."
)
flags.DEFINE_bool("dry_run", False, "List the runs and their cost.")
flags.DEFINE_multi_string(
    "known", [], "A results.csv with runs that need not run again."
)
GROUPS = {
    "Study": ("config", "only", "dry_run", "known", "jobs"),
    **options.GROUPS,
}


def main(argv):
    settings = options.settings()
    folder = pathlib.Path(settings.output_dir)
    planned = plan(settings)
    if FLAGS.dry_run:
        return dry_run(planned)
    if FLAGS.only != "analyse":
        with runner.alone(folder):
            try:
                runner.run_all(planned, folder, FLAGS.known)
            except KeyboardInterrupt:
                print("Interrupted. The same command continues.", flush=True)
                return 130
    if FLAGS.only != "run":
        analyse(folder)
    return 0


def plan(settings):
    """Returns the runs that the command line asks for."""
    given = {name for name in vars(settings) if FLAGS[name].present}
    refused = [f"--{name}" for name in grid.VARIED if name in given]
    if refused:
        raise app.UsageError(f"The study itself sets {', '.join(refused)}.")
    if settings.strategy == "multi_worker":
        raise app.UsageError("The runs of a study are of one machine each.")
    return grid.plan(
        grid.CONFIGS[FLAGS.config],
        settings,
        given,
        pathlib.Path(settings.output_dir) / "runs",
    )


def dry_run(planned):
    """Prints the runs with their gradient evaluations."""
    for run in planned:
        name = pathlib.Path(run.settings.output_dir).name
        print(f"{run.evaluations:>12,} {name}")
    total = sum(run.evaluations for run in planned)
    print(f"{total:>12,} gradient evaluations in {len(planned)} runs")


def analyse(folder):
    """Draws the figures and writes the tables of `results.csv`."""
    path = folder / "results.csv"
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: run the study first.")
    rows = table.read(path)
    text = report.markdown(rows)
    (folder / "tables.md").write_text(f"{text}\n")
    (folder / "differences.csv").write_text(report.differences(rows))
    figures.draw(rows, folder)
    print(text)
    print(f"See {folder}/tables.md and the figures beside it.")


if __name__ == "__main__":
    usage.run(main, GROUPS)
