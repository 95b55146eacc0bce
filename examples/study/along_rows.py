"""What the rows of `examples.study.along` say, by place, method and epoch."""

import collections
import math

from examples import paired
from examples.study import figures

# What tells trainings apart.
KEY = ("dataset", "method", "n", "seed")
STEPS = 5


def key(row):
    """Returns what tells the training of a row from the others."""
    return tuple(row[name] for name in KEY)


def value(row, name):
    """Returns a quantity of a row, a float."""
    if name == "gain":
        return 100 * (float(row["several_5"]) / float(row["one_5"]) - 1)
    return float(row[name])


def series(rows, name):
    """Returns {place: {arm: {epoch: {seed: value}}}}."""
    found = collections.defaultdict(
        lambda: collections.defaultdict(lambda: collections.defaultdict(dict))
    )
    for row in rows:
        arm = row["method"], int(row["n"])
        of_epoch = found[place(row)][arm][int(row["epoch"])]
        of_epoch[int(row["seed"])] = value(row, name)
    return found


def place(row):
    """Returns the data set and the radius of the climbs, as a title."""
    return f"{row['dataset']}, {float(row['radius']):g}"


def cells(rows):
    """Returns (place, arm, epoch) of the rows, in the order of reading."""
    places = list(dict.fromkeys(map(place, rows)))
    found = {
        (place(row), (row["method"], int(row["n"])), int(row["epoch"]))
        for row in rows
    }

    def order(cell):
        where, (method, _), epoch = cell
        return places.index(where), list(figures.STYLES).index(method), epoch

    return sorted(found, key=order)


def ends(rows):
    """Returns the cells of the first and of the last epoch."""
    found = cells(rows)
    return [
        (where, arm, epoch)
        for where, arm, epoch in found
        if epoch in (epochs(found, where)[0], epochs(found, where)[-1])
    ]


def epochs(found, where):
    """Returns the epochs of a place."""
    return sorted({epoch for place_, _, epoch in found if place_ == where})


def ratio(rows, name, where, arm, epoch):
    """Returns the `paired.Interval` of the logarithm of a ratio to SAM."""
    of_place = series(rows, name)[where]
    ours, sam = of_place[arm][epoch], of_place["sam", 1][epoch]
    return paired.interval([math.log(ours[s] / sam[s]) for s in sorted(ours)])
