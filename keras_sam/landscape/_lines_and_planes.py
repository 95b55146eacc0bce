"""The loss along lines and over planes through the weights."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam.landscape import _landscape
from keras_sam.landscape import _results
from keras_sam.landscape._batch import Losses
from keras_sam.landscape._filter_normalized import filter_normalized
from keras_sam.landscape._landscape import Landscape


@dataclasses.dataclass(frozen=True, repr=False)
class Line(_results.Result):
    """The result of `line`.

    Attributes:
        coordinates: Array, shape (points,).
        losses: Array, shape (points,); infinite where the loss is not finite,
            NaN where it was not measured.
        length: Float, the Euclidean length of the direction.
        complete: Bool, whether all points were measured.
    """

    coordinates: np.ndarray
    losses: np.ndarray
    length: float
    complete: bool

    def _more(self) -> dict[str, Any]:
        return {
            **_results.span("coordinate", self.coordinates),
            **_results.span("loss", self.losses),
        }


@dataclasses.dataclass(frozen=True, repr=False)
class Plane(_results.Result):
    """The result of `plane`.

    Attributes:
        x: Array, shape (columns,), coordinates along the first direction.
        y: Array, shape (rows,), coordinates along the second direction.
        losses: Array, shape (rows, columns), the order of matplotlib's
            `contour`; infinite where the loss is not finite, NaN where it was
            not measured.
        lengths: Array, shape (2,), the Euclidean lengths of the directions.
        complete: Bool, whether all points were measured.
    """

    x: np.ndarray
    y: np.ndarray
    losses: np.ndarray
    lengths: np.ndarray
    complete: bool

    def _more(self) -> dict[str, Any]:
        return {
            **_results.span("x", self.x),
            **_results.span("y", self.y),
            **_results.span("loss", self.losses),
        }


def line(
    landscape: Landscape,
    direction: list | None = None,
    *,
    coordinates: _results.Numbers | None = None,
    params: list | None = None,
    seed: int = 0,
    progress: _results.Progress = False,
) -> Line:
    """Returns the loss at `w + coordinate * direction`.

    Args:
        landscape: `Landscape`.
        direction: List of tensors or arrays; None for `filter_normalized`.
        coordinates: Array of floats; None for 51 from -1 to 1.
        params: List of tensors or arrays, w; None for `landscape.params`.
        seed: Int, of the random direction.
        progress: See `keras_sam.landscape`. It counts points.

    Returns:
        A `Line`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.
    """
    _landscape.check(landscape)
    if direction is None:
        direction = filter_normalized(landscape, seed, params)
    params = landscape.weights(params)
    row = _row("coordinates", coordinates)
    way = landscape.weights(direction)
    losses, complete = grid(landscape, params, [way], [row], progress)
    return Line(
        coordinates=row,
        losses=losses,
        length=float(vectors.norm(way)),
        complete=complete,
    )


def plane(
    landscape: Landscape,
    directions: Sequence[list] | None = None,
    *,
    x: _results.Numbers | None = None,
    y: _results.Numbers | None = None,
    params: list | None = None,
    seed: int = 0,
    progress: _results.Progress = False,
) -> Plane:
    """Returns the loss at `w + x * first + y * second`.

    Args:
        landscape: `Landscape`.
        directions: Pair of lists of tensors or arrays, first and second; None
            for two `filter_normalized` ones, with the seeds `seed` and
            `seed + 1`.
        x: Array of floats; None for 51 from -1 to 1.
        y: Array of floats; None for 51 from -1 to 1.
        params: List of tensors or arrays, w; None for `landscape.params`.
        seed: Int, of the random directions.
        progress: See `keras_sam.landscape`. It counts points.

    Returns:
        A `Plane`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.

    Reference: arXiv:1712.09913.
    """
    _landscape.check(landscape)
    if directions is None:
        directions = [
            filter_normalized(landscape, seed + i, params) for i in range(2)
        ]
    params = landscape.weights(params)
    if len(directions) != 2:
        raise ValueError(
            "`directions` must be a pair of directions. Received: "
            f"{len(directions)} of them"
        )
    first, second = (landscape.weights(way) for way in directions)
    columns, rows = _row("x", x), _row("y", y)
    losses, complete = grid(
        landscape, params, [second, first], [rows, columns], progress
    )
    return Plane(
        x=columns,
        y=rows,
        losses=losses,
        lengths=np.array([float(vectors.norm(way)) for way in (first, second)]),
        complete=complete,
    )


def _row(name: str, values: _results.Numbers | None) -> np.ndarray:
    if values is None:
        return np.linspace(-1.0, 1.0, 51)
    return _validation.row(name, values)


def grid(
    of: Losses,
    params: list,
    directions: list[list],
    coordinates: list[np.ndarray],
    progress: _results.Progress,
) -> tuple[np.ndarray, bool]:
    """Returns the losses on a grid, and whether all points were measured.

    Args:
        of: `Patch` or `Landscape`.
        params: List of tensors, the origin.
        directions: List of directions, one for each axis of the grid.
        coordinates: List of arrays, the coordinates along each direction.
        progress: See `Work`.

    Raises:
        FloatingPointError: If the loss at params is not finite.
    """
    of.loss(params)
    losses = np.full([len(values) for values in coordinates], np.nan)
    with _results.Work(progress, losses.size, "point") as work:
        for index in np.ndindex(losses.shape):
            point = params
            for values, i, way in zip(
                coordinates, index, directions, strict=True
            ):
                point = vectors.add(point, vectors.scale(float(values[i]), way))
            try:
                losses[index] = float(of.loss(point))
            except FloatingPointError:
                losses[index] = np.inf
            work.advance()
    return losses, work.complete
