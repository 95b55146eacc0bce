"""What `examples.study` runs and compares: fixed here, before any result.

A configuration is a full grid of tasks, fractions of wrong training labels,
methods and seeds. It is a grid of radii too, except for SGD, which has none.
With one step the last gradient, the mean and the matched radius are all SAM
(sharpness-aware minimization), so n = 1 is run once, as `sam`. `matched` is the
mean with steps of 2 rho / (n + 1). The last gradient needs no such control:
with steps of rho / n it is, to first order, the gradient at distance rho
already.
"""

import dataclasses
import hashlib
import json
import types

from examples import options
from examples import runs

# Name: (--method, descent, radius).
METHODS = {
    "sgd": ("sgd", "", ""),
    "sam": ("sam", "last", "split"),
    "last": ("multistep_last", "last", "split"),
    "mean": ("multistep_mean", "mean", "split"),
    "matched": ("multistep_matched", "mean", "matched"),
}
# (A, B) stands for the differences A - B, for each n of the configuration.
COMPARISONS = (
    ("sam", "sgd"),
    ("last", "sam"),
    ("mean", "last"),
    ("mean", "sam"),
    ("matched", "sam"),
    ("mean", "matched"),
)
# Flags of train.py that the study sets itself.
VARIED = (
    "dataset",
    "model",
    "label_noise",
    "noise_seed",
    "seed",
    "method",
    "rho",
    "rho_min",
    "ascent_steps",
    "descent",
    "radius",
)


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set, a network for it, the radii, and flags of train.py."""

    dataset: str
    model: str
    examples: int  # For the training.
    rhos: tuple
    flags: dict


@dataclasses.dataclass(frozen=True)
class Config:
    """A grid; `ascent_steps` are the n above 1."""

    tasks: tuple
    noises: tuple
    ascent_steps: tuple
    seeds: int


@dataclasses.dataclass(frozen=True)
class Run:
    """A point of the grid, and the settings that train.py takes for it."""

    dataset: str
    model: str
    noise: float
    method: str
    n: int
    rho: float  # 0 for SGD.
    seed: int
    examples: int = dataclasses.field(compare=False)
    settings: types.SimpleNamespace = dataclasses.field(compare=False)

    @property
    def kept(self):
        """Its settings by name, but for where it reads and writes."""
        items = vars(self.settings).items()
        return {k: v for k, v in items if k not in options.PLACES}

    @property
    def digest(self):
        """A hash of `kept` and the backend."""
        text = json.dumps(self.kept, sort_keys=True) + "".join(runs.backend())
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def evaluations(self):
        """Gradient evaluations, without running anything."""
        s = self.settings
        steps = s.epochs * (self.examples // s.batch_size)
        return steps * (self.n + 1) * (s.num_batch_splits or 1)


# Runs of seconds: an interrupted one begins again. Batches are of 128.
_SMALL = {"tensorboard": False, "checkpoint_steps": 10**9}
_DIGITS = Task(
    "digits",
    "mlp",
    1437,
    (0.1, 0.2, 0.4, 0.8),
    {**_SMALL, "epochs": 30, "steps_per_execution": 11},
)
_MNIST1D = Task(
    "mnist1d",
    "cnn-1d",
    4000,
    (0.025, 0.05, 0.1, 0.2),
    {**_SMALL, "epochs": 10, "steps_per_execution": 31},
)
# What is usual for CIFAR. The usual L2 term of 0.0005 passes through a momentum
# of 0.9, which makes it ten times the decoupled decay of that number.
_CIFAR = {
    "epochs": 200,
    "batch_size": 128,
    "learning_rate": 0.1,
    "lr_schedule": "cosine",
    "momentum": 0.9,
    "weight_decay": 0.005,
    "augment": "true",
}
CONFIGS = {
    "smoke": Config(
        (
            dataclasses.replace(
                _DIGITS, rhos=(0.1,), flags={**_DIGITS.flags, "epochs": 1}
            ),
        ),
        noises=(0.3,),
        ascent_steps=(2,),
        seeds=2,
    ),
    "small": Config(
        (_DIGITS, _MNIST1D),
        noises=(0.0, 0.3),
        ascent_steps=(2, 3, 5),
        seeds=5,
    ),
    # Three radii around SAM's best of the small study, where labels are wrong.
    "sharper": Config(
        (
            dataclasses.replace(_DIGITS, rhos=(0.4, 0.57, 0.8)),
            dataclasses.replace(_MNIST1D, rhos=(0.025, 0.05, 0.1)),
        ),
        noises=(0.3,),
        ascent_steps=(3, 5),
        seeds=20,
    ),
    "full": Config(
        tuple(
            Task(dataset, model, 50000, (0.025, 0.05, 0.1, 0.2, 0.4), _CIFAR)
            for dataset in ("cifar10", "cifar100")
            for model in ("resnet-18", "wrn-28-10")
        ),
        noises=(0.0, 0.3),
        ascent_steps=(2, 3, 5),
        seeds=5,
    ),
}


def arms(ascent_steps, rhos):
    """Returns (method, n, rho) of the runs of each task, noise and seed."""
    found = [("sgd", 0, 0.0), *(("sam", 1, rho) for rho in rhos)]
    return found + [
        (method, n, rho)
        for method in ("last", "mean", "matched")
        for n in ascent_steps
        for rho in rhos
    ]


def plan(config, settings, given, folder):
    """Returns every `Run`, a whole seed before the next.

    A seed draws label noise, initial weights and data order, the same for all
    methods and radii.

    Args:
        config: `Config`.
        settings: The flags of options.py, as attributes.
        given: Names of those that were given, which override the task's.
        folder: `pathlib.Path` of the runs.
    """
    return [
        _run(task, noise, arm, seed, settings, given, folder)
        for seed in range(config.seeds)
        for task in config.tasks
        for noise in config.noises
        for arm in arms(config.ascent_steps, task.rhos)
    ]


def _run(task, noise, arm, seed, settings, given, folder):
    method, n, rho = arm
    name = f"{task.dataset}-{task.model}-noise{noise:g}-{method}-n{n}"
    changes = {
        **{k: v for k, v in task.flags.items() if k not in given},
        "dataset": task.dataset,
        "model": task.model,
        "label_noise": noise,
        "noise_seed": seed,
        "seed": seed,
        "method": METHODS[method][0],
        "rho": rho if n else None,
        "ascent_steps": n,
        "output_dir": str(folder / f"{name}-rho{rho:g}-seed{seed}"),
    }
    settings = types.SimpleNamespace(**{**vars(settings), **changes})
    point = (task.dataset, task.model, noise, method, n, rho, seed)
    return Run(*point, examples=task.examples, settings=settings)
