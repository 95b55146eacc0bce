"""Rules that suggest a radius from climbs, and how they are tested.

All of this was fixed before any result of `benchmarks.tuning`:

    A rule suggests the last radius of the grid before its number first leaves
    the threshold, and the smallest radius if there is none before.
    A rule passes in a task where SAM, at the radius that the other seeds
    choose, gains over SGD (the 95 % interval says so), if the suggested radii
    keep at least half of that gain. In other tasks it passes if they lose at
    most one point to SGD.
    A threshold is fitted on other tasks than those that test it.
    A rule is validated if it passes in every task, with all other tasks to fit
    on, and with the tasks of the other data set alone.
"""

import collections
import dataclasses
from collections.abc import Callable

import numpy as np

from benchmarks.tuning import grid
from examples import paired

KEPT = 0.5  # Share of the gain.
LOST = 1.0  # Points, where there is no gain.
# With fewer the interval of the gain is too wide to tell what a rule needs.
SEEDS = 5


@dataclasses.dataclass(frozen=True)
class Rule:
    """A number of each radius, and on which side of a threshold it must be.

    Attributes:
        name: String.
        number: Function of the climbs at one radius and at the smallest one,
            both a `store.Climb`.
        at_least: Bool, whether the number must be at least the threshold; else
            at most.
    """

    name: str
    number: Callable
    at_least: bool = False


RULES = (
    Rule("cosine at least", lambda at, _: at.cosine, at_least=True),
    Rule("linear share at least", lambda at, _: at.linear_share, at_least=True),
    Rule("linear share at most", lambda at, _: at.linear_share),
    Rule("rise / loss at most", lambda at, _: at.relative_rise),
    Rule(
        "rise / rise at the smallest radius at most",
        lambda at, smallest: at.rise / smallest.rise,
    ),
    Rule(
        "rho / norm of the weights at most",
        lambda at, _: at.rho / at.weight_norm,
    ),
)
# The same radius for all, whatever is measured.
CONSTANT = Rule("rho at most", lambda at, _: at.rho)


@dataclasses.dataclass(frozen=True)
class Task:
    """The results of a task, by seed and radius.

    Attributes:
        key: (data set, fraction of wrong labels, network).
        radii: Tuple of floats.
        sgd: Array of shape (seeds,), percents.
        sam: Array of shape (seeds, radii), percents.
        climbs: {moment: list over seeds of lists over radii of
            `store.Climb`}.
    """

    key: tuple
    radii: tuple
    sgd: np.ndarray
    sam: np.ndarray
    climbs: dict

    @property
    def best(self):
        """What each seed scores with the radius that the others choose."""
        by_radius = dict(zip(self.radii, self.sam.T.tolist(), strict=True))
        return paired.chosen(by_radius)

    @property
    def gain(self):
        """The `paired.Interval` of the best radius less SGD."""
        return paired.interval(np.array(self.best[0]) - self.sgd)

    @property
    def needed(self):
        """How many points more than SGD a suggestion must have."""
        return KEPT * self.gain.mean if self.gain.low > 0 else -LOST

    def numbers(self, rule, moment):
        """Returns the numbers of a rule, an array of shape (seeds, radii)."""
        return np.array(
            [
                [rule.number(at, of[0]) for at in of]
                for of in self.climbs[moment]
            ]
        )

    def kept(self, suggested):
        """Returns how many points more than SGD suggested radii have.

        Args:
            suggested: Array of int, shape (seeds,), indices of radii.
        """
        seeds = np.arange(len(self.sgd))
        return float(np.mean(self.sam[seeds, suggested] - self.sgd))


def tasks(trainings, climbs):
    """Returns a `Task` for each task, of the seeds that are finished.

    Args:
        trainings: List of `store.Row`.
        climbs: List of `store.Climb`.
    """
    accuracies, measured = collections.defaultdict(dict), {}
    for row in trainings:
        percent = 100 * row.test_accuracy
        accuracies[row.task, row.seed][row.rho] = percent
    for row in climbs:
        at = measured.setdefault((row.task, row.seed, row.moment), [])
        at.append(row)
    seeds = finished(accuracies, measured)
    found = []
    for key in grid.tasks():
        radii = grid.NETWORKS[key[0]][key[2]]
        of_seeds = [accuracies[key, seed] for seed in seeds]
        found.append(
            Task(
                key,
                radii,
                np.array([of[0.0] for of in of_seeds]),
                np.array([[of[rho] for rho in radii] for of in of_seeds]),
                {
                    moment: [measured[key, seed, moment] for seed in seeds]
                    for moment in grid.MOMENTS
                },
            )
        )
    return found


def finished(accuracies, measured):
    """Returns the seeds that have all trainings and climbs of all tasks."""
    return [
        seed
        for seed in sorted({seed for _, seed in accuracies})
        if all(
            len(accuracies.get((key, seed), ()))
            == 1 + len(grid.NETWORKS[key[0]][key[2]])
            and all((key, seed, moment) in measured for moment in grid.MOMENTS)
            for key in grid.tasks()
        )
    ]


def suggested(numbers, threshold, at_least):
    """Returns the index of the radius that a rule suggests in each seed.

    Args:
        numbers: Array, shape (seeds, radii). NaN leaves any threshold.
        threshold: Float.
        at_least: Bool, as in `Rule`.
    """
    within = numbers >= threshold if at_least else numbers <= threshold
    before = np.cumprod(within, axis=1).sum(axis=1)
    return np.maximum(before - 1, 0)


def fitted(rule, moment, given):
    """Returns the threshold of a rule with which most tasks pass.

    Of several, it is the one with the highest mean accuracy over tasks, and of
    equal ones the middle one.

    Args:
        rule: `Rule`.
        moment: Name in `grid.MOMENTS`.
        given: List of `Task`.
    """
    numbers = [task.numbers(rule, moment) for task in given]
    needed = [task.needed for task in given]
    values = np.unique(np.concatenate([n.ravel() for n in numbers]))
    values = values[np.isfinite(values)]

    def score(threshold):
        kept = [
            task.kept(suggested(n, threshold, rule.at_least))
            for task, n in zip(given, numbers, strict=True)
        ]
        passed = sum(k >= n for k, n in zip(kept, needed, strict=True))
        return passed, round(float(np.mean(kept)), 9)

    scores = [score(threshold) for threshold in values]
    best = [v for v, s in zip(values, scores, strict=True) if s == max(scores)]
    return float(best[len(best) // 2])


@dataclasses.dataclass(frozen=True)
class Tested:
    """How a rule fares in one task, with a threshold of other tasks.

    Attributes:
        threshold: Float.
        radii: The suggested radius of each seed.
        kept: Float, points more than SGD.
        passes: Bool.
    """

    threshold: float
    radii: list
    kept: float
    passes: bool


def tested(rule, moment, task, others):
    """Returns `Tested` of a rule in a task, fitted on others."""
    threshold = fitted(rule, moment, others)
    indices = suggested(task.numbers(rule, moment), threshold, rule.at_least)
    kept = task.kept(indices)
    return Tested(
        threshold,
        [task.radii[index] for index in indices],
        kept,
        kept >= task.needed,
    )


def left_out(rule, moment, given):
    """Returns {key: `Tested`}, fitted on all tasks but the one."""
    return {
        task.key: tested(
            rule, moment, task, [other for other in given if other is not task]
        )
        for task in given
    }


def transferred(rule, moment, given):
    """Returns {key: `Tested`}, fitted on the other data set."""
    return {
        task.key: tested(
            rule,
            moment,
            task,
            [other for other in given if other.key[0] != task.key[0]],
        )
        for task in given
    }


def all_rules():
    """Returns (rule, moment) of every candidate."""
    first = next(iter(grid.MOMENTS))
    return [
        *((rule, moment) for rule in RULES for moment in grid.MOMENTS),
        (CONSTANT, first),
    ]
