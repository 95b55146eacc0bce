r"""Does multi-step SAM (arXiv:2302.10181) gain from its steps, or from radius?

    python -m examples.study --output_dir=study
    python -m examples.study --output_dir=study-cifar --config=full \
        --strategy=mirrored --mixed_precision=mixed_bfloat16

Trains SGD, SAM (sharpness-aware minimization) and multi-step SAM with the last
and the mean gradient, at split and at matched radius, over several numbers of
steps, radii, fractions of wrong labels and seeds: study_grid.py has the grid
and the comparisons. Every run is one of train.py; flags of train.py that are
given hold for all runs. `--config=small`, the default, is for two cores;
`--config=full` is CIFAR-10 and CIFAR-100, which takes GPUs, and
`--dry_run` says how much of it; `--config=smoke` takes a minute.

The same command continues an interrupted study. `results.csv` has a row for
each finished run; figures and tables come from it alone (`--only=analyse`).
"""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import sys

import tensorflow as tf
from absl import app
from absl import flags

from examples import data
from examples import options
from examples import pool
from examples import runs
from examples import study_figures
from examples import study_grid
from examples import study_report
from examples import study_table

FLAGS = flags.FLAGS
flags.DEFINE_enum("config", "small", list(study_grid.CONFIGS), "What to run.")
flags.DEFINE_enum(
    "only", None, ["run", "analyse"], "Only the runs, or only the analysis."
)
flags.DEFINE_bool("dry_run", False, "List the runs and their cost.")
flags.DEFINE_integer(
    "jobs",
    None,
    "Runs at once; default: one a core, or one with a GPU.",
    lower_bound=1,
)
flags.adopt_module_key_flags(options)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unknown arguments: {argv[1:]}")
    settings = options.settings()
    folder = pathlib.Path(settings.output_dir)
    planned = plan(settings)
    if FLAGS.dry_run:
        return dry_run(planned)
    if FLAGS.only != "analyse":
        with alone(folder):
            try:
                run_all(planned, folder, jobs(settings))
            except KeyboardInterrupt:
                print("Interrupted. The same command continues.", flush=True)
                return 130
    if FLAGS.only != "run":
        analyse(folder)
    return 0


def plan(settings):
    """Returns the runs that the command line asks for."""
    given = {name for name in vars(settings) if FLAGS[name].present}
    refused = [f"--{name}" for name in study_grid.VARIED if name in given]
    if refused:
        raise app.UsageError(f"The study itself sets {', '.join(refused)}.")
    if settings.strategy == "multi_worker":
        raise app.UsageError("The runs of a study are of one machine each.")
    return study_grid.plan(
        study_grid.CONFIGS[FLAGS.config],
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


@contextlib.contextmanager
def alone(folder):
    """Holds the folder against another study for as long as it runs.

    Raises:
        RuntimeError: If another one holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            # Ends with the process, however that ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeError(f"Another study runs in {folder}.") from error
        yield


def jobs(settings):
    """Returns how many runs there are at once."""
    one = tf.config.list_physical_devices("GPU") or settings.strategy != "none"
    return FLAGS.jobs or (1 if one else os.cpu_count() or 1)


def run_all(planned, folder, jobs):
    """Runs what is not in `results.csv`, and adds it there.

    Raises:
        ValueError: If the file has rows of another study.
        RuntimeError: If runs failed, once all others are there.
    """
    path = folder / "results.csv"
    rows = (
        {row.key: row for row in study_table.read(path)}
        if (path.exists())
        else {}
    )
    check(planned, rows, path)
    todo = [run for run in planned if study_table.key(run) not in rows]
    print(f"{len(rows)} of {len(planned)} runs are in {path}.", flush=True)
    for dataset in sorted({run.dataset for run in todo}):
        data.load(dataset, planned[0].settings.data_dir)  # Prepares it once.
    failures = []
    for run, outcome in finished(todo, min(jobs, len(todo))):
        name = pathlib.Path(run.settings.output_dir).name
        if isinstance(outcome, Exception):
            failures.append(f"{name}: {outcome!r}")
            print(failures[-1], flush=True)
            continue
        rows[study_table.key(run)] = row = study_table.row(run, outcome)
        order = [rows.get(study_table.key(run)) for run in planned]
        study_table.write(path, filter(None, order))
        print(
            f"{len(rows)}/{len(planned)} {name}: test accuracy "
            f"{row.test_accuracy:.4f}, {row.seconds:.1f} s",
            flush=True,
        )
    if failures:
        raise RuntimeError("Runs failed:\n  " + "\n  ".join(failures))


def check(planned, rows, path):
    """Refuses rows that are not of these runs with these settings."""
    digests = {study_table.key(run): run for run in planned}
    for key, row in rows.items():
        if key not in digests:
            raise ValueError(
                f"{path} holds a run that is not of --config={FLAGS.config}. "
                f"Choose another --output_dir, or delete it. Received: {key}"
            )
        run = digests[key]
        if row.settings != run.digest:
            # Says what differs, if the folder of the run is still there.
            claimed = pathlib.Path(run.settings.output_dir)
            if (claimed / "settings.json").exists():
                runs.claim(claimed, json.loads(json.dumps(run.kept)))
            raise ValueError(
                f"{path} holds a run with other settings. Choose another "
                f"--output_dir, or delete it. Received: {key}"
            )


def finished(todo, jobs):
    """Yields (run, result or exception) as the runs end."""
    if not todo:
        return
    with pool.executor(jobs) as processes:
        try:
            futures = {
                processes.submit(pool.run_one, run.settings): run
                for run in todo
            }
            for future in concurrent.futures.as_completed(futures):
                error = future.exception()
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise KeyboardInterrupt
                if isinstance(error, concurrent.futures.BrokenExecutor):
                    raise error
                yield futures[future], error or future.result()
        finally:
            processes.shutdown(wait=True, cancel_futures=True)


def analyse(folder):
    """Draws the figures and writes the tables of `results.csv`."""
    path = folder / "results.csv"
    if not path.exists():
        raise FileNotFoundError(f"There is no {path}: run the study first.")
    rows = study_table.read(path)
    report = study_report.markdown(rows)
    (folder / "tables.md").write_text(report)
    study_figures.draw(rows, folder)
    print(report)
    print(f"See {folder}/tables.md and the figures beside it.")


if __name__ == "__main__":
    app.run(lambda argv: sys.exit(main(argv)))
