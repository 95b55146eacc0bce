"""The files of `benchmarks.cheaper`, and the runs that they still lack."""

import contextlib
import csv
import dataclasses

import keras
import tensorflow as tf

from benchmarks.cheaper import costs
from benchmarks.cheaper import grid
from benchmarks.cheaper import training
from examples import data
from examples import pool
from examples import runs

_PILOT = 1000  # A seed that no run has.


@dataclasses.dataclass(frozen=True)
class Row:
    """A finished run. Accuracies are fractions, losses cross-entropies."""

    dataset: str
    noise: float
    method: str
    rho: float
    seed: int
    steps: int
    climbs: int
    test_accuracy: float
    test_loss: float
    seconds: float  # Of the steps, on this machine as busy as it was.
    settings: str
    versions: str

    @property
    def key(self):
        """What tells the run from the others."""
        return (self.dataset, self.noise, self.method, self.rho, self.seed)


def read(path, kind):
    """Returns the rows of a CSV file as records; none if there is no file."""
    if not path.exists():
        return []
    fields = {field.name: field.type for field in dataclasses.fields(kind)}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != list(fields):
            raise ValueError(
                f"{path} must begin with the columns {list(fields)}. "
                f"Received: {reader.fieldnames}"
            )
        return [
            kind(**{name: of(line[name]) for name, of in fields.items()})
            for line in reader
        ]


def write(path, kind, rows):
    """Writes records, in one piece."""
    columns = [field.name for field in dataclasses.fields(kind)]
    runs.write_csv(path, columns, map(dataclasses.asdict, rows))


@dataclasses.dataclass(frozen=True)
class Timed(costs.Cost):
    """The cost of a method, and the network that was timed."""

    network: str
    method: str


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of AE-SAM's steps that climb, of a training of its own."""

    dataset: str
    noise: float
    share: float


def measured(path, methods, network, rounds, seconds):
    """Returns {method: `Cost`}: what the file lacks is measured and added.

    Args:
        path: `pathlib.Path` of the file.
        methods: Names in `grid.ARMS`.
        network: Name in `networks.NETWORKS`.
        rounds: Int, see `costs.measure`.
        seconds: Float, likewise.
    """
    found = {row.method: row for row in read(path, Timed)}
    others = {row.network for row in found.values()} - {network}
    if others:
        raise ValueError(
            f"{path} holds costs of another --network. Choose another "
            f"--output_dir, or delete it. Received: {sorted(others)}"
        )
    lacking = [method for method in methods if method not in found]
    if lacking:
        # With as many threads as a run will have.
        with pool.executor(pool.jobs("none", 2)) as processes:
            new = processes.submit(
                costs.measure, lacking, network, rounds, seconds
            ).result()
        for method, cost in new.items():
            found[method] = Timed(**vars(cost), network=network, method=method)
        write(path, Timed, found.values())
    return {method: found[method] for method in methods}


def piloted(path, costs_, data_dir):
    """Returns {(data set, label noise): share of AE-SAM's steps that climb}.

    It is known only once a training has run, one at the middle radius.
    """
    if "AE-SAM" not in costs_:
        return {}
    found = {(r.dataset, r.noise): r.share for r in read(path, Share)}
    # So many steps fit if half of them climb.
    steps = costs.steps(costs_, dict.fromkeys(grid.cells(), 0.5))
    planned = [
        grid.Run(
            *(*cell, "AE-SAM", _middle(cell), _PILOT),
            steps=steps[*cell, "AE-SAM"],
            data_dir=data_dir,
        )
        for cell in grid.cells()
        if cell not in found
    ]
    for run, result in finished(planned):
        share = round(result["climbs"] / run.steps, 4)
        found[run.dataset, run.noise] = share
    rows = [Share(*cell, found[cell]) for cell in grid.cells()]
    write(path, Share, rows)
    return found


def _middle(cell):
    rhos = grid.TASKS[cell[0]].rhos
    return rhos[(len(rhos) - 1) // 2]


def run_all(planned, path, kind=Row):
    """Runs what is not in the file, and adds it there.

    Args:
        planned: List of runs, such as `grid.Run`.
        path: `pathlib.Path` of the file.
        kind: The class of a row. It begins with what is in the `key` of a run.

    Raises:
        ValueError: If the file has rows of other settings.
    """
    rows = {row.key: row for row in read(path, kind)}
    digests = {run.key: run.digest for run in planned}
    for key, row in rows.items():
        if digests.get(key) != row.settings:
            raise ValueError(
                f"{path} holds a run with other settings. Choose another "
                f"--output_dir, or delete it. Received: {key}"
            )
    todo = [run for run in planned if run.key not in rows]
    print(f"{len(rows)} of {len(planned)} runs are in {path}.", flush=True)
    for run, result in finished(todo):
        result = {
            **result,
            "climbs": round(result["climbs"]),
            "seconds": round(result["seconds"], 3),
        }
        rows[run.key] = kind(
            *run.key,
            steps=run.steps,
            **result,
            settings=digests[run.key],
            versions=versions(),
        )
        order = (rows.get(other.key) for other in planned)
        write(path, kind, filter(None, order))
        print(f"{len(rows)}/{len(planned)} {run.key}", flush=True)
    return list(rows.values())


def versions():
    """Returns the versions of the backend, as in the files."""
    return f"keras-{keras.__version__} tensorflow-{tf.__version__}"


def finished(todo, function=training.train):
    """Yields (run, what a function returns for it) as the calls end."""
    for dataset in sorted({run.dataset for run in todo}):
        data.load(dataset, todo[0].data_dir)  # Prepares it once.
    jobs = pool.jobs("none", max(len(todo), 1))
    given = [(run, run) for run in todo]
    shifts = pool.in_shifts(jobs, function, given)
    with contextlib.closing(shifts) as ended:
        for run, future in ended:
            yield run, future.result()
