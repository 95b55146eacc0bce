"""What the rows of `examples.study` say: scores and paired differences."""

import dataclasses
import functools

import numpy as np

from examples import paired
from examples.study import grid

CHOSEN = "chosen radius"
AVERAGE = "mean over radii"


@dataclasses.dataclass(frozen=True)
class Cell:
    """All runs of one task at one fraction of wrong labels.

    An arm is a method with its number of steps, n.
    """

    dataset: str
    model: str
    noise: float
    scores: dict  # {arm: {rho: [test accuracy of each seed, in percent]}}

    @property
    def title(self):
        """What a reader calls it."""
        wrong = f"{self.noise:.0%} wrong labels" if self.noise else "clean"
        return f"{self.dataset}, {self.model}, {wrong}"

    @property
    def rhos(self):
        """Every radius there is."""
        return sorted(self.scores[("sam", 1)])

    @functools.cached_property
    def chosen(self):
        """{arm: (score of each seed, radius that the other seeds choose)}."""
        return {arm: paired.chosen(s) for arm, s in self.scores.items()}

    def at(self, arm, where):
        """Returns the score of each seed at a radius, or at one of the two."""
        if where == CHOSEN:
            return np.array(self.chosen[arm][0])
        scores = self.scores[arm]
        if where == AVERAGE:
            return np.mean([scores[rho] for rho in scores], axis=0)
        return np.array(scores[0.0 if arm[0] == "sgd" else where])


def cells(rows):
    """Returns the cells of the rows of a finished study.

    Raises:
        ValueError: If runs are missing.
    """
    groups = {}
    for row in rows:
        place = (row.dataset, row.model, row.noise)
        groups.setdefault(place, []).append(row)
    if not groups:
        raise ValueError("There are no results: run the study first.")
    return [_cell(*place, group) for place, group in groups.items()]


def _cell(dataset, model, noise, rows):
    scores = {}
    for row in rows:
        arm = (row.method, row.n)
        by_seed = scores.setdefault(arm, {}).setdefault(row.rho, {})
        by_seed[row.seed] = 100 * row.test_accuracy
    cell = Cell(dataset, model, noise, scores)
    _check(cell, {row.seed for row in rows}, {row.rho for row in rows} - {0.0})
    for of_arm in scores.values():
        for rho, by_seed in of_arm.items():
            of_arm[rho] = [by_seed[seed] for seed in sorted(by_seed)]
    return cell


def _check(cell, seeds, rhos):
    steps = [n for _, n in cell.scores if n > 1]
    wanted = set(grid.arms(sorted(set(steps)), rhos))
    missing = [
        f"{method}, n = {n}, rho = {rho}, seed {seed}"
        for method, n, rho in sorted(wanted)
        for seed in sorted(seeds)
        if seed not in cell.scores.get((method, n), {}).get(rho, {})
    ]
    if missing:
        raise ValueError(
            f"{len(missing)} runs of {cell.title} are missing, the first: "
            f"{missing[0]}. Run the study to its end."
        )


def comparisons(cell):
    """Returns pairs of arms, those of `grid.COMPARISONS` for each n."""
    steps = sorted({n for _, n in cell.scores if n > 1})
    fixed = {"sgd": 0, "sam": 1}
    pairs = [
        tuple((name, fixed.get(name, n)) for name in pair)
        for pair in grid.COMPARISONS
        for n in steps
    ]
    return list(dict.fromkeys(pairs))


def difference(cell, pair, where):
    """Returns the `paired.Interval` of a pair of arms, in points."""
    first, second = (cell.at(arm, where) for arm in pair)
    return paired.interval(first - second)


def name(arm):
    """Returns what a reader calls an arm."""
    method, n = arm
    return {"sgd": "SGD", "sam": "SAM"}.get(method, f"{method}, n = {n}")


def pair_name(pair):
    """Returns what a reader calls a comparison."""
    (first, n), (second, _) = pair
    names = {"sgd": "SGD", "sam": "SAM"}
    steps = f", n = {n}" if n > 1 else ""
    return f"{names.get(first, first)} - {names.get(second, second)}{steps}"
