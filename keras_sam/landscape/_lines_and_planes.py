"""The loss along lines and over planes through the weights."""

import dataclasses

import numpy as np

from keras_sam import vectors
from keras_sam.landscape import _results
from keras_sam.landscape._filter_normalized import filter_normalized


@dataclasses.dataclass(frozen=True)
class Line(_results.Result):
    """What `line` returns.

    Attributes:
        coordinates: Array, shape (points,).
        losses: Array, shape (points,); infinite where the loss is not finite,
            NaN where it was not measured.
        complete: Bool, whether all points were measured.
    """

    coordinates: np.ndarray
    losses: np.ndarray
    complete: bool


@dataclasses.dataclass(frozen=True)
class Plane(_results.Result):
    """What `plane` returns.

    Attributes:
        x: Array, shape (columns,), coordinates along the first direction.
        y: Array, shape (rows,), along the second.
        losses: Array, shape (rows, columns), as matplotlib's `contour` takes
            it; infinite where the loss is not finite, NaN where it was not
            measured.
        complete: Bool, whether all points were measured.
    """

    x: np.ndarray
    y: np.ndarray
    losses: np.ndarray
    complete: bool


def line(
    landscape,
    direction=None,
    *,
    coordinates=None,
    params=None,
    seed=0,
    progress=False,
):
    """Returns the loss at `w + coordinate * direction`.

    Args:
        landscape: `Landscape`.
        direction: List of tensors or arrays; None for `filter_normalized`.
        coordinates: Array of floats; None for 51 from -1 to 1.
        params: List of tensors or arrays, w; None for those of the landscape.
        seed: Int, of the random direction.
        progress: See `results.Work`; counts points.

    Returns:
        A `Line`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.
    """
    if direction is None:
        direction = filter_normalized(landscape, seed, params)
    params = landscape.weights(params)
    x = row("coordinates", coordinates)
    losses, complete = grid(
        landscape, params, [landscape.weights(direction)], [x], progress
    )
    return Line(x, losses, complete)


def plane(
    landscape,
    directions=None,
    *,
    x=None,
    y=None,
    params=None,
    seed=0,
    progress=False,
):
    """Returns the loss at `w + x * first + y * second`.

    Args:
        landscape: `Landscape`.
        directions: Pair of lists of tensors or arrays; None for two of
            `filter_normalized`, with the seed and the next.
        x: Array of floats; None for 51 from -1 to 1.
        y: Likewise.
        params: List of tensors or arrays, w; None for those of the landscape.
        seed: Int, of the random directions.
        progress: See `results.Work`; counts points.

    Returns:
        A `Plane`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.

    Reference: arXiv:1712.09913.
    """
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
    x, y = row("x", x), row("y", y)
    losses, complete = grid(
        landscape, params, [second, first], [y, x], progress
    )
    return Plane(x, y, losses, complete)


def row(name, values):
    if values is None:
        return np.linspace(-1.0, 1.0, 51)
    values = np.asarray(values, "float64")
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be a row of finite numbers. Received: {values!r}"
        )
    return values


def grid(patch, params, directions, coordinates, progress):
    """Returns the losses at all combinations of coordinates, and if all are.

    Raises:
        FloatingPointError: If the loss at params is not finite.
    """
    patch.loss(params)
    losses = np.full([len(values) for values in coordinates], np.nan)
    with _results.Work(progress, losses.size, "point") as work:
        for index in np.ndindex(losses.shape):
            at = params
            for values, i, way in zip(
                coordinates, index, directions, strict=True
            ):
                at = vectors.add(at, vectors.scale(float(values[i]), way))
            try:
                losses[index] = float(patch.loss(at))
            except FloatingPointError:
                losses[index] = np.inf
            work.advance()
    return losses, work.complete
