"""Runs the runs that `examples.study` still lacks, and keeps finished runs."""

import contextlib
import fcntl
import json
import pathlib

from examples import data
from examples import pool
from examples import progress
from examples import runs
from examples.study import table


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


def run_all(planned, folder, known=()):
    """Runs what is not in `results.csv`, and adds it there.

    Args:
        planned: List of `grid.Run`.
        folder: `pathlib.Path` of the study.
        known: Paths of the results of other studies. Their rows of runs with
            the same settings are taken over.

    Raises:
        ValueError: If the file has rows of another study.
        RuntimeError: If runs diverged, once all others are there.
    """
    path = folder / "results.csv"
    found = table.read(path) if path.exists() else []
    rows = {row.key: row for row in found}
    check(planned, rows, path)
    rows = taken_over(planned, known) | rows
    todo = [run for run in planned if table.key(run) not in rows]

    def keep():
        order = [rows.get(table.key(run)) for run in planned]
        table.write(path, filter(None, order))

    if len(rows) > len(found):
        keep()  # There may be nothing to run.
    print(f"{len(rows)} of {len(planned)} runs are in {path}.", flush=True)
    for dataset in sorted({run.dataset for run in todo}):
        data.load(dataset, planned[0].settings.data_dir)  # Prepares it once.
    failures = []
    with progress.Progress(
        "Run",
        len(planned),
        before=len(planned) - len(todo),
        work=sum(run.evaluations for run in todo),
    ) as shown:
        for run, outcome in finished(todo):
            name = pathlib.Path(run.settings.output_dir).name
            if isinstance(outcome, FloatingPointError):
                failures.append(f"{name}: {outcome!r}")
                shown.done(failures[-1], run.evaluations)
                continue
            rows[table.key(run)] = row = table.row(run, outcome)
            keep()
            shown.done(
                f"{name}: test accuracy {row.test_accuracy:.4f}, "
                f"{row.seconds:.1f} s",
                run.evaluations,
            )
    if failures:
        raise RuntimeError("Runs diverged:\n  " + "\n  ".join(failures))


def check(planned, rows, path):
    """Refuses rows that are not of these runs with these settings."""
    known = {table.key(run): run for run in planned}
    for key, row in rows.items():
        if key not in known:
            raise ValueError(
                f"{path} holds a run of another --config. Choose another "
                f"--output_dir, or delete it. Received: {key}"
            )
        run = known[key]
        if row.settings != run.digest:
            # Says what differs, if the folder of the run is still there.
            claimed = pathlib.Path(run.settings.output_dir)
            if (claimed / "settings.json").exists():
                runs.check(claimed, json.loads(json.dumps(run.kept)))
            raise ValueError(
                f"{path} holds a run with other settings. Choose another "
                f"--output_dir, or delete it. Received: {key}"
            )


def taken_over(planned, known):
    """Returns {key: row} of the planned runs that other studies have run."""
    wanted = {(table.key(run), run.digest) for run in planned}
    return {
        row.key: row
        for path in known
        for row in table.read(path)
        if (row.key, row.settings) in wanted
    }


def finished(todo):
    """Yields (run, its result or why it diverged) as the runs end."""
    if not todo:
        return
    jobs = pool.jobs(todo[0].settings.strategy, len(todo))
    given = [(run, run.settings) for run in todo]
    with contextlib.closing(pool.in_shifts(jobs, pool.run_one, given)) as ended:
        for run, future in ended:
            error = future.exception()
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise KeyboardInterrupt
            if error and not isinstance(error, FloatingPointError):
                raise error
            yield run, error or future.result()
