"""Paired statistics over seeds, and the radius that the other seeds choose."""

import dataclasses

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean with its t interval, and how many values have which sign.

    The interval takes the values as independent and normal. With one value it
    is infinite.
    """

    mean: float
    low: float
    high: float
    positive: int
    negative: int
    zero: int

    @property
    def excludes_zero(self):
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def interval(values, level=0.95):
    """Returns the `Interval` of a mean at a confidence level."""
    values = np.asarray(values, float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"`values` must be a list of finite numbers. Received: {values}"
        )
    mean, count = values.mean(), values.size
    half = np.inf
    if count > 1:
        error = values.std(ddof=1) / np.sqrt(count)
        half = stats.t.ppf((1 + level) / 2, count - 1) * error
    return Interval(
        mean=float(mean),
        low=float(mean - half),
        high=float(mean + half),
        positive=int((values > 0).sum()),
        negative=int((values < 0).sum()),
        zero=int((values == 0).sum()),
    )


def chosen(scores):
    """Returns what each seed scores with the radius that the others choose.

    The radius of a seed is the one of the highest mean score over the *other*
    seeds; of equal ones the smallest. So no run has a say in the choice of its
    own radius. (All seeds share one test set, which therefore has.)

    Args:
        scores: {radius: [score of each seed]}.

    Returns:
        (scores, radii), one of each a seed. With a single radius there is
        nothing to choose.
    """
    radii = sorted(scores)
    table = np.array([scores[radius] for radius in radii], float)
    if len(radii) == 1:
        return list(table[0]), radii * table.shape[1]
    if table.shape[1] < 2:
        raise ValueError(
            "To choose a radius by the other seeds takes two seeds or more. "
            f"Received: {table.shape[1]}"
        )
    others = (table.sum(axis=1, keepdims=True) - table) / (table.shape[1] - 1)
    # Sums of the same numbers in another order may differ in the last bit.
    picks = np.argmax(others > others.max(axis=0) - 1e-9, axis=0)
    seeds = range(table.shape[1])
    return [float(table[picks[s], s]) for s in seeds], [
        radii[pick] for pick in picks
    ]
