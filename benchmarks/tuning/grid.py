"""What `benchmarks.tuning` trains and measures: fixed before any result."""

import dataclasses
import hashlib

from benchmarks.cheaper import grid as cheaper

# Each radius is twice the one before. Trainings with seed 1001 and wrong labels
# showed how far they must reach.
_LARGE = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
_MIDDLE = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_SMALL = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
# {data set: {a name in `examples.models`: its radii}}. The first network of
# each is the one of docs/cheaper.md, where its trainings with SAM are.
NETWORKS = {
    "digits": {"mlp": _LARGE, "mlp-deep": _LARGE, "cnn": _MIDDLE},
    "mnist1d": {"cnn-1d": _SMALL, "cnn-1d-wide": _SMALL, "mlp": _SMALL},
}
# Examples that are measured, and in a batch.
MEASURED, BATCH_SIZE = 512, 128
# When climbs are measured: {name: the method of the epoch before, or None}.
MOMENTS = {
    "no training": None,
    "an epoch of SGD": cheaper.SGD,
    "an epoch of SAM": cheaper.SAM,  # At the smallest radius.
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A training, with the recipe of docs/cheaper.md.

    Its number of steps is the one of SAM there, for SGD, too: it says what the
    radius does, not what time buys.

    Attributes:
        model: Name in `examples.models`.
        method: `cheaper.SGD` or `cheaper.SAM`.
        data_dir: Where TFDS keeps its data, or None.
    """

    dataset: str
    noise: float
    model: str
    method: str
    rho: float
    seed: int
    data_dir: str | None = dataclasses.field(compare=False, default=None)

    @property
    def steps(self):
        """The number of train steps."""
        return cheaper.TASKS[self.dataset].steps

    @property
    def task(self):
        """What a radius is chosen for."""
        return (self.dataset, self.noise, self.model)

    @property
    def key(self):
        """What tells the run from the others."""
        return (*self.task, self.method, self.rho, self.seed)

    @property
    def radii(self):
        """The radii of SAM in this task."""
        return NETWORKS[self.dataset][self.model]

    @property
    def digest(self):
        """A hash of all that a result depends on."""
        return _hash(_recipe(self))

    @property
    def measured_digest(self):
        """A hash of all that measured climbs depend on."""
        looked_at = (self.radii, MEASURED, BATCH_SIZE, sorted(MOMENTS))
        return _hash(_recipe(self), looked_at)


def tasks():
    """Returns (data set, fraction of wrong labels, network) of all tasks."""
    return [
        (dataset, noise, model)
        for dataset, models in NETWORKS.items()
        for noise in cheaper.LABEL_NOISES
        for model in models
    ]


def known(task):
    """Whether docs/cheaper has the trainings of a task with SAM."""
    dataset, _, model = task
    return cheaper.TASKS[dataset].model == model


def plan(seeds, data_dir=None):
    """Returns every `Run` that docs/cheaper lacks, a seed before the next."""
    return [
        Run(*task, method, rho, seed, data_dir)
        for seed in range(seeds)
        for task in tasks()
        for method, rhos in (
            (cheaper.SGD, (0.0,)),
            (cheaper.SAM, () if known(task) else NETWORKS[task[0]][task[2]]),
        )
        for rho in rhos
    ]


def measured(seeds, data_dir=None):
    """Returns the `Run` of each task and seed whose climbs are measured."""
    return [
        Run(*task, cheaper.SGD, 0.0, seed, data_dir)
        for seed in range(seeds)
        for task in tasks()
    ]


def _recipe(run):
    return cheaper.recipe(run, (*run.key, run.steps))


def _hash(*kept):
    return hashlib.sha256(repr(kept).encode()).hexdigest()[:12]
