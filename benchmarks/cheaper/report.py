"""The tables of `benchmarks.cheaper`, as Markdown, and what follows from them.

A method's radius in a seed is the one that is best in the other seeds. The rule
that names a method was fixed before any result.
"""

import collections
import dataclasses
import statistics

from benchmarks.cheaper import grid
from examples import paired
from examples import runs

BEGIN, END = "<!-- Written by make cheaper. -->", "<!-- End. -->"


@dataclasses.dataclass(frozen=True)
class Score:
    """A method in a task.

    Attributes:
        accuracies: Percents, one for each seed, at the radii of the others.
        radii: The radius of each seed.
        steps: Mean number of steps.
        climbs: Mean number of steps that climbed.
        seconds: Mean seconds of the steps.
        edge: Whether a chosen radius is the smallest or the largest tried.
    """

    accuracies: list
    radii: list
    steps: float
    climbs: float
    seconds: float
    edge: bool

    def less(self, other):
        """Returns the `paired.Interval` of the differences to another."""
        pairs = zip(self.accuracies, other.accuracies, strict=True)
        return paired.interval([one - two for one, two in pairs])


def scores(rows):
    """Returns {(data set, label noise): {method: `Score`}}."""
    grouped = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row.seed):
        grouped[row.dataset, row.noise, row.method].append(row)
    found = collections.defaultdict(dict)
    for dataset, noise in grid.cells():
        for method in grid.ARMS:
            of_arm = grouped.get((dataset, noise, method))
            if of_arm:
                found[dataset, noise][method] = _score(of_arm)
    return dict(found)


def _score(rows):
    by_radius = collections.defaultdict(list)
    for row in rows:
        by_radius[row.rho].append(100 * row.test_accuracy)
    accuracies, radii = paired.chosen(by_radius)
    ends = {min(by_radius), max(by_radius)}
    return Score(
        accuracies,
        radii,
        steps=statistics.mean(row.steps for row in rows),
        climbs=statistics.mean(row.climbs for row in rows),
        seconds=statistics.mean(row.seconds for row in rows),
        edge=len(by_radius) > 1 and not ends.isdisjoint(radii),
    )


def finished(rows):
    """Returns the rows of the seeds that have as many as the first one."""
    number = collections.Counter(row.seed for row in rows)
    return [row for row in rows if number[row.seed] == number[0]]


def markdown(rows, costs):
    """Returns all tables, and the method that is named, if one is.

    Args:
        rows: List of `store.Row`. A seed that is not finished does not count.
        costs: {method: `costs.Cost`}.
    """
    rows = finished(rows)
    found = scores(rows)
    seeds = len({row.seed for row in rows})
    parts = [_named(found, seeds)]
    for (dataset, noise), of_cell in found.items():
        labels = f"{100 * noise:g} % wrong labels" if noise else "clean labels"
        parts.append(f"### {dataset}, {labels}")
        parts.append(_table(of_cell, costs))
    parts.append(f"### All tasks\n\n{_counts(found)}")
    return "\n\n".join(parts)


def _table(of_cell, costs):
    lines = [
        "| method | a step | steps | time | accuracy, % | less SGD | less SAM "
        "| rho |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sam = of_cell[grid.SAM]
    budget = costs[grid.SAM].time(sam.steps, sam.climbs)
    for method, score in of_cell.items():
        cost = costs[method]
        mean = paired.interval(score.accuracies)
        time = cost.time(score.steps, score.climbs)
        radii = ", ".join(f"{rho:g}" for rho in sorted(set(score.radii)))
        cells = [
            method,
            f"{time / score.steps:.2f}",
            f"{score.steps:.0f}",
            f"{time / budget:.2f}",
            f"{mean.mean:.2f} ± {mean.mean - mean.low:.2f}",
            *(
                "" if method == other else _cell(score.less(of_cell[other]))
                for other in (grid.SGD, grid.SAM)
            ),
            (radii if any(score.radii) else "")
            + (" (edge)" if score.edge else ""),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(interval):
    numbers = (interval.mean, interval.low, interval.high)
    # Plus 0.0, so that there is no -0.00.
    mean, low, high = (f"{round(n, 2) + 0.0:+.2f}" for n in numbers)
    text = f"{mean} [{low}, {high}]"
    return f"**{text}**" if interval.excludes_zero else text


def counts(found):
    """Returns {method: {SGD or SAM: (tasks above, tasks below)}}."""
    result = {}
    for method in next(iter(found.values())):
        of_method = {}
        for other in (grid.SGD, grid.SAM):
            intervals = [
                of_cell[method].less(of_cell[other])
                for of_cell in found.values()
            ]
            of_method[other] = (
                sum(i.low > 0 for i in intervals),
                sum(i.high < 0 for i in intervals),
            )
        result[method] = of_method
    return result


def named(found):
    """Returns the method to take when time is short, or None.

    It is above SGD in two tasks or more, and neither below SGD nor below SAM in
    any: its 95 % intervals say so. Of several, the one that is above SAM in
    most tasks, and then the one with the highest mean accuracy. SAM may be it.
    """
    number = counts(found)
    fit = [
        method
        for method, of_method in number.items()
        if of_method[grid.SGD][0] >= 2
        and of_method[grid.SGD][1] == of_method[grid.SAM][1] == 0
    ]

    def rank(method):
        means = [
            statistics.mean(of_cell[method].accuracies)
            for of_cell in found.values()
        ]
        return number[method][grid.SAM][0], statistics.mean(means)

    return max(fit, key=rank, default=None)


def _named(found, seeds):
    method = named(found)
    said = (
        "no method: none is above SGD in two tasks, and below neither SGD nor "
        "SAM in any."
        if method is None
        else f"**{method}**. It is above SGD in two tasks or more, and below "
        "neither SGD nor SAM in any."
    )
    return f"When time is short, these {seeds} seeds name {said}"


def _counts(found):
    lines = [
        "| method | above SGD | below SGD | above SAM | below SAM |",
        "|---|---|---|---|---|",
    ]
    for method, of_method in counts(found).items():
        numbers = [n for other in of_method.values() for n in other]
        lines.append(f"| {method} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines)


def put(path, text, begin=BEGIN):
    """Puts a text between the marks of a document.

    Raises:
        ValueError: If the document lacks them.
    """
    old = path.read_text()
    if old.count(begin) != 1 or old.count(END) != 1:
        raise ValueError(
            f"{path} must have the lines {begin!r} and {END!r} once each, with "
            f"the tables between them. Received: {len(old)} characters with "
            f"{old.count(begin)} and {old.count(END)} of them"
        )
    before, _, rest = old.partition(begin)
    _, _, after = rest.partition(END)
    runs.write_text(path, f"{before}{begin}\n\n{text}\n\n{END}{after}")
