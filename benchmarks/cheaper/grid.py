"""What `benchmarks.cheaper` trains: fixed here, before any result."""

import dataclasses
import hashlib

import keras

from examples import methods
from examples import runs
from keras_sam import cadences
from keras_sam import schedules

BATCH_SIZE = 128
LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 0.0005
# Steps of a call of `tf.function`, and all numbers of steps are multiples.
CHUNK = 10
FRACTION = 0.3  # Of the training, in which "falls late" falls.

SGD, SAM = "SGD", "SAM"


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set and a network for it, as in docs/study.md.

    Attributes:
        model: Name in `examples.models`.
        steps: Train steps of SAM, whose time is the budget.
        rhos: The radii. Trainings with seed 1001 and wrong labels, of most
            methods, showed where accuracy first gains and then falls.
        others: {recipe: its radii}, where these do not reach that far.
    """

    model: str
    steps: int
    rhos: tuple
    others: dict


TASKS = {
    "digits": Task(
        "mlp",
        330,
        (0.1, 0.2, 0.4, 0.8, 1.6, 3.2),
        {"rwp": (0.001, 0.003, 0.01, 0.03, 0.05, 0.1)},
    ),
    "mnist1d": Task(
        "cnn-1d",
        310,
        (0.025, 0.05, 0.1, 0.2, 0.4, 0.8),
        {
            "momentum": (0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
            "rwp": (0.001, 0.003, 0.01, 0.03, 0.05, 0.1),
        },
    ),
}
LABEL_NOISES = (0.0, 0.3)  # Fractions of wrong training labels.


@dataclasses.dataclass(frozen=True)
class Arm:
    """A method: a recipe, changes of it, and a schedule of the learning rate.

    Attributes:
        recipe: Name in `keras_sam.recipes.RECIPES`.
        late: Whether the learning rate is constant, and falls late by a cosine;
            else it is a cosine of the whole training.
        changes: Pairs of a flag of examples/train.py and its text.
    """

    recipe: str
    late: bool = False
    changes: tuple = ()

    def radii(self, task):
        """Returns the radii that are tried; that of SGD is 0."""
        if self.recipe == "sgd":
            return (0.0,)
        return task.others.get(self.recipe, task.rhos)

    def arguments(self, rho, steps):
        """Returns the arguments of SAM, for a training of so many steps."""
        given = dict.fromkeys((*methods.OTHERS, *methods.PARTS))
        given |= {"rho": rho} if rho else {}
        given |= dict(self.changes)
        return methods.arguments(_Settings(method=self.recipe, **given), steps)

    def rate(self, steps):
        """Returns the schedule of the learning rate."""
        if not self.late:
            return keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
        start = cadences.LatePhase(steps, FRACTION).start
        return schedules.WarmupStableDecay(
            LEARNING_RATE, steps, start, shape="cosine"
        )


class _Settings:
    """Flags of examples/train.py, as attributes."""

    def __init__(self, **given):
        vars(self).update(given)


ARMS = {
    SGD: Arm("sgd"),
    SAM: Arm("sam"),
    "late phase": Arm("late_phase"),
    "late phase, rate falls late": Arm("late_phase", late=True),
    "every 5th step": Arm("interval", changes=(("cadence", "Every(k=5)"),)),
    "LookSAM": Arm("looksam"),
    "SS-SAM": Arm("ss_sam"),
    "AE-SAM": Arm("ae_sam"),
    "half a batch": Arm(
        "sub_batch", changes=(("ascent_samples", "Drawn(fraction=0.5)"),)
    ),
    "ESAM": Arm("esam"),
    "K-SAM": Arm("k_sam"),
    "momentum": Arm("momentum"),
    "stale": Arm("stale"),
    "RWP": Arm("rwp"),
    # Is it the climb, or the learning rate?
    "SGD, rate falls late": Arm("sgd", late=True),
    "SAM, rate falls late": Arm("sam", late=True),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """A training.

    Attributes:
        steps: Int, as many as fit the budget.
        data_dir: Where TFDS keeps its data, or None.
    """

    dataset: str
    noise: float
    method: str
    rho: float
    seed: int
    steps: int = dataclasses.field(compare=False)
    data_dir: str | None = dataclasses.field(compare=False, default=None)

    @property
    def model(self):
        """The network, a name in `examples.models`."""
        return TASKS[self.dataset].model

    @property
    def key(self):
        """What tells the run from the others."""
        return (self.dataset, self.noise, self.method, self.rho, self.seed)

    @property
    def digest(self):
        """A hash of all that a result depends on."""
        kept = recipe(self, (*self.key, self.steps, self.model))
        return hashlib.sha256(repr(kept).encode()).hexdigest()[:12]


def recipe(run, told):
    """Returns all that the result of a run depends on, as a list to be hashed.

    Args:
        run: A record with `method`, `rho` and `steps`.
        told: Tuple, what tells the run from others.
    """
    arm = ARMS[run.method]
    return [
        sorted(arm.arguments(run.rho, run.steps).items()),
        sorted(arm.rate(run.steps).get_config().items()),
        told,
        (BATCH_SIZE, LEARNING_RATE, MOMENTUM, WEIGHT_DECAY, CHUNK),
        *runs.backend(),
    ]


def cells():
    """Returns (data set, fraction of wrong labels) of all tasks."""
    return [(d, noise) for d in TASKS for noise in LABEL_NOISES]


def plan(chosen, seeds, steps, data_dir=None):
    """Returns every `Run`, a whole seed before the next.

    A seed draws label noise, initial weights and data order, the same for all
    methods and radii.

    Args:
        chosen: Names in `ARMS`.
        seeds: Int.
        steps: {(data set, label noise, method): number of steps}.
        data_dir: Where TFDS keeps its data, or None.
    """
    return [
        Run(*cell, method, rho, seed, steps[*cell, method], data_dir)
        for seed in range(seeds)
        for cell in cells()
        for method in chosen
        for rho in ARMS[method].radii(TASKS[cell[0]])
    ]
