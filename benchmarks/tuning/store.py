"""The files of `benchmarks.tuning`, and the runs that they still lack."""

import dataclasses

from benchmarks.cheaper import grid as cheaper
from benchmarks.cheaper import store
from benchmarks.tuning import measuring


@dataclasses.dataclass(frozen=True)
class Row:
    """A finished training. Accuracies are fractions."""

    dataset: str
    noise: float
    model: str
    method: str
    rho: float
    seed: int
    steps: int
    climbs: int
    test_accuracy: float
    test_loss: float
    seconds: float
    settings: str
    versions: str

    @property
    def task(self):
        """What a radius is chosen for."""
        return (self.dataset, self.noise, self.model)

    @property
    def key(self):
        """What tells the run from the others."""
        return (*self.task, self.method, self.rho, self.seed)


@dataclasses.dataclass(frozen=True)
class Climb:
    """What `landscape.climbs` says of one radius, as means over batches.

    Attributes:
        moment: Name in `grid.MOMENTS`.
        weight_norm: Float, the norm of all trained weights.
    """

    dataset: str
    noise: float
    model: str
    seed: int
    moment: str
    rho: float
    loss: float
    rise: float
    relative_rise: float
    linear_share: float
    cosine: float
    distance: float
    weight_norm: float
    settings: str
    versions: str

    @property
    def task(self):
        """What a radius is chosen for."""
        return (self.dataset, self.noise, self.model)


def measure_all(planned, path):
    """Measures what is not in the file, and adds it there.

    Args:
        planned: List that `grid.measured` returns.
        path: `pathlib.Path` of the file.

    Raises:
        ValueError: If the file has rows of other settings.
    """
    rows = {}
    for row in store.read(path, Climb):
        rows.setdefault((*row.task, row.seed), []).append(row)
    digests = {(*run.task, run.seed): run.measured_digest for run in planned}
    for key, found in rows.items():
        if {row.settings for row in found} != {digests.get(key)}:
            raise ValueError(
                f"{path} holds climbs with other settings. Choose another "
                f"--output_dir, or delete it. Received: {key}"
            )
    todo = [run for run in planned if (*run.task, run.seed) not in rows]
    print(f"{len(rows)} of {len(planned)} are in {path}.", flush=True)
    for run, found in store.finished(todo, measuring.measure):
        key = (*run.task, run.seed)
        rows[key] = [
            Climb(
                *key,
                **numbers,
                settings=digests[key],
                versions=store.versions(),
            )
            for numbers in found
        ]
        order = (rows.get((*other.task, other.seed)) for other in planned)
        ordered = [row for found in filter(None, order) for row in found]
        store.write(path, Climb, ordered)
        print(f"{len(rows)}/{len(planned)} {key}", flush=True)


def taken_over(path, seeds):
    """Returns the trainings with SAM of docs/cheaper as rows.

    Args:
        path: `pathlib.Path` of its results.
        seeds: Int, how many.

    Raises:
        ValueError: If they have another number of steps.
    """
    found = []
    for row in store.read(path, store.Row):
        if row.method != cheaper.SAM or row.seed >= seeds:
            continue
        task = cheaper.TASKS[row.dataset]
        if row.steps != task.steps:
            raise ValueError(
                f"{path} must have the steps of `benchmarks.cheaper`, "
                f"{task.steps}. Received: {row}"
            )
        found.append(Row(model=task.model, **vars(row)))
    return found
