"""What a climb meets on its way: losses, gradients, and how they turn."""

import dataclasses

import numpy as np

from keras_sam import vectors
from keras_sam._algorithm.context import StepContext
from keras_sam.descents import Last
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _results

STATISTICS = (
    "losses",
    "gradient_norms",
    "cosines_to_previous",
    "cosines_to_first",
    "cosine_to_displacement",
    "cosine_to_mean",
    "distance",
    "length",
    "straightness",
    "descent_ratio",
)


@dataclasses.dataclass(frozen=True)
class Path(_results.Result):
    """What `path` returns: statistics of the climb on each batch.

    Each is an array whose first axis is that of batches. Norms and products are
    over all trained variables, whether perturbed or not. A cosine or ratio
    with a vector of length zero is 0.

    Attributes:
        losses: Shape (batches, n + 1): L(z_0), ..., L(z_n), with z_0 = w.
        gradient_norms: Shape (batches, n + 1): of g_0, ..., g_n.
        cosines_to_previous: Shape (batches, n): of g_{i-1} and g_i.
        cosines_to_first: Shape (batches, n): of g_0 and g_i.
        cosine_to_displacement: Shape (batches,): of g_0 and z_n - w.
        cosine_to_mean: Shape (batches,): of g_n and the mean of g_1, ..., g_n.
        distance: Shape (batches,): `||z_n - w||`.
        length: Shape (batches,): the sum of the lengths of all steps, as they
            were made (so after the projection, if any).
        straightness: Shape (batches,): `distance / length`, 1 for a straight
            climb.
        descent_ratio: Shape (batches,): `||d|| / ||g_0||`, d the gradient that
            the descent makes of the path.
        sizes: Array of int, shape (batches,).
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
        complete: Bool, whether all batches are in it.
    """

    losses: np.ndarray
    gradient_norms: np.ndarray
    cosines_to_previous: np.ndarray
    cosines_to_first: np.ndarray
    cosine_to_displacement: np.ndarray
    cosine_to_mean: np.ndarray
    distance: np.ndarray
    length: np.ndarray
    straightness: np.ndarray
    descent_ratio: np.ndarray
    sizes: np.ndarray
    rho: float
    ascent_steps: int
    radius: str
    complete: bool

    def mean(self):
        """Returns {name: mean over batches}, weighted by size."""
        return self._over_batches(_results.mean)

    def deviation(self):
        """Returns {name: standard deviation over batches}, likewise."""
        return self._over_batches(_results.deviation)

    def _over_batches(self, function):
        return {
            name: function(getattr(self, name), self.sizes)
            for name in STATISTICS
        }


def path(
    landscape,
    rho=0.05,
    *,
    ascent_steps=3,
    radius="split",
    direction=Normalized(),
    descent=Last(),
    perturb=None,
    params=None,
    progress=False,
):
    """Returns statistics of the climb, as training would make it, by batch.

    It costs n + 1 gradients a batch, and what the direction and the descent
    ask for besides.

    Args:
        landscape: `Landscape`; with `training=True` the climb is that of
            training, batch statistics and dropout included.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: As that of `SharpnessAwareMinimization`.
        direction: Likewise; one with a memory has its first one on each batch.
        descent: Likewise, for `descent_ratio`. (The vector of
            `descents.Decoupled` is the sum of its two.)
        perturb: Likewise.
        params: List of tensors or arrays, w; None for those of the landscape.
        progress: See `results.Work`; counts batches.

    Returns:
        A `Path`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a loss or gradient is not finite.
    """
    method = _climbing.method(
        rho, ascent_steps, radius, direction, descent=descent, perturb=perturb
    )
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    rows = []
    with _results.Work(progress, landscape.number, "batch") as work:
        for patch in landscape.batches():
            row = _statistics(method, patch, params, moving)
            rows.append((*row, patch.size))
            work.advance()
    *statistics, sizes = map(np.array, zip(*rows, strict=True))
    return Path(
        *statistics,
        sizes,
        float(rho),
        int(ascent_steps),
        radius,
        work.complete,
    )


def _statistics(method, patch, params, moving):
    """Returns the values of `STATISTICS` on one batch."""
    clean = patch.evaluate(params)
    met = _Met(clean)
    points = met.passing(_climbing.climb(method, patch, clean, moving))
    (grads, correction), _ = method.descent(
        clean, points, method.descent.init(params), StepContext(patch)
    )
    for _ in points:  # What the descent did not ask for.
        pass
    if correction:
        grads = vectors.add(grads, correction)
    return met.statistics(grads)


class _Met:
    """What is kept of the points of a climb, as they come."""

    def __init__(self, clean):
        self._clean = self._last = clean
        self._losses = [float(clean.loss)]
        self._norms = [_length(clean.grads)]
        self._previous, self._first = [], []
        self._total = None
        self._length = 0.0

    def passing(self, climb):
        """Yields the points of a climb, once they are noted."""
        for point in climb:
            self._note(point)
            yield point

    def _note(self, point):
        step = vectors.subtract(point.params, self._last.params)
        self._length += _length(step)
        self._losses.append(float(point.loss))
        self._norms.append(_length(point.grads))
        self._previous.append(cosine(self._last.grads, point.grads))
        self._first.append(cosine(self._clean.grads, point.grads))
        total = self._total
        self._total = vectors.add(total, point.grads) if total else point.grads
        self._last = point

    def statistics(self, descent):
        """Returns the values of `STATISTICS`, given what to descend with."""
        away = vectors.subtract(self._last.params, self._clean.params)
        distance = _length(away)
        return (
            self._losses,
            self._norms,
            self._previous,
            self._first,
            cosine(self._clean.grads, away),
            cosine(self._last.grads, self._total),
            distance,
            self._length,
            _ratio(distance, self._length),
            _ratio(_length(descent), self._norms[0]),
        )


def cosine(a, b):
    """Returns the cosine of the angle of two lists of tensors, a float.

    0 if one of them is zero; never beyond -1 and 1.
    """
    # Unit vectors first: products of small gradients underflow.
    found = float(vectors.dot(vectors.unit(a), vectors.unit(b)))
    return min(1.0, max(-1.0, found))


def _length(vector):
    return float(vectors.norm(vector))


def _ratio(a, b):
    return a / b if b else 0.0
