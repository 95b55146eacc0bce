"""Losses and gradients along a climb, and how much the climb turns."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_sam import vectors
from keras_sam._algorithm.context import StepContext
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.selection import Selection
from keras_sam.descents import Last
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _landscape
from keras_sam.landscape import _results
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._landscape import Landscape
from keras_sam.landscape._record import STATISTICS
from keras_sam.landscape._record import Record


@dataclasses.dataclass(frozen=True, repr=False)
class Path(_results.Result):
    """The result of `path`: statistics of the climb on each batch.

    The first axis of each array is the axis of batches. Norms and products are
    over all trained variables, perturbed or not. A cosine or ratio with a
    vector of length zero is 0.

    Attributes:
        losses: Shape (batches, n + 1): L(z_0), ..., L(z_n), with z_0 = w.
        gradient_norms: Shape (batches, n + 1): of g_0, ..., g_n.
        cosines_to_previous: Shape (batches, n): of g_{i-1} and g_i.
        cosines_to_first: Shape (batches, n): of g_0 and g_i.
        cosine_to_displacement: Shape (batches,): of g_0 and z_n - w.
        cosine_to_mean: Shape (batches,): of g_n and the mean of g_1, ..., g_n.
        distance: Shape (batches,): `||z_n - w||`.
        length: Shape (batches,): the sum of the lengths of all steps, each
            measured after the projection, if any.
        straightness: Shape (batches,): `distance / length`, 1 for a straight
            climb.
        descent_ratio: Shape (batches,): `||d|| / ||g_0||`, where d is the
            gradient that the descent computes from the path.
        sizes: Array of int, shape (batches,).
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
        complete: Bool, whether the result holds all batches.
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

    def _more(self) -> dict[str, Any]:
        mean = self.mean()
        return {
            "losses": mean["losses"],
            "straightness": float(mean["straightness"]),
        }

    def mean(self) -> dict[str, Any]:
        """Returns {name: mean over batches}, weighted by size."""
        return self._over_batches(_results.mean)

    def deviation(self) -> dict[str, Any]:
        """Returns {name: standard deviation over batches}, weighted by size."""
        return self._over_batches(_results.deviation)

    def _over_batches(
        self, function: Callable[[np.ndarray, np.ndarray], Any]
    ) -> dict[str, Any]:
        return {
            name: function(getattr(self, name), self.sizes)
            for name in STATISTICS
        }


def path(
    landscape: Landscape,
    rho: float = 0.05,
    *,
    ascent_steps: int = 3,
    radius: str = "split",
    direction: Any = Normalized(),
    descent: Any = Last(),
    perturb: Any = None,
    params: list | None = None,
    progress: _results.Progress = False,
) -> Path:
    """Returns statistics, by batch, of the climb that training would make.

    The cost is n + 1 gradients a batch, and the passes that the direction and
    the descent request.

    Args:
        landscape: `Landscape`. With `training=True` the climb uses batch
            statistics and dropout, as in training.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: As for `SharpnessAwareMinimization`.
        direction: As for `SharpnessAwareMinimization`. A direction with a
            memory starts each batch from its first memory.
        descent: As for `SharpnessAwareMinimization`, for `descent_ratio`. (For
            `descents.Decoupled`, d is the sum of the two vectors.)
        perturb: As for `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for `landscape.params`.
        progress: See `keras_sam.landscape`. It counts batches.

    Returns:
        A `Path`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a loss or gradient is not finite.
    """
    _landscape.check(landscape)
    method = _climbing.method(
        rho, ascent_steps, radius, direction, descent=descent, perturb=perturb
    )
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    rows = []
    with _results.Work(progress, landscape.number, "batch") as work:
        for patch in landscape.batches():
            row = _statistics(method, patch, params, moving)
            rows.append({**row, "sizes": patch.size})
            work.advance()
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Path(
        **columns,
        rho=float(rho),
        ascent_steps=int(ascent_steps),
        radius=radius,
        complete=work.complete,
    )


def _statistics(
    method: Method, patch: Patch, params: list, moving: Selection
) -> dict[str, Any]:
    """Returns the statistics of the climb on one batch, by name."""
    clean = patch.evaluate(params)
    record = Record(clean)
    climb = _climbing.climb(method, patch, clean, moving)
    points = record.points(climb)
    (grads, correction), _ = method.descent(
        clean,
        points,
        method.descent.init(params),
        StepContext(patch, method.rho, another=climb.again),
    )
    for _ in points:  # The descent may leave points.
        pass
    if correction:
        grads = vectors.add(grads, correction)
    return record.statistics(grads)
