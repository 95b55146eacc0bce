"""A climb as displacements from the weights, and its projection on a plane."""

import collections
import itertools
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from keras_sam import vectors
from keras_sam._algorithm import draws
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.selection import Selection
from keras_sam._types import Point
from keras_sam.landscape import _climbing
from keras_sam.landscape._batch import Losses
from keras_sam.landscape._record import Travelled

# Binary digits after the point. NumPy has no bfloat16 to ask for them.
_DIGITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


class Climb:
    """The points of a climb as displacements from w, each with its loss.

    Every iteration climbs anew: keeping all points would need memory for n
    copies of the weights.

    Attributes:
        travelled: `Travelled`, how far the last iteration has gone.
    """

    def __init__(
        self, method: Method, of: Losses, params: list, moving: Selection
    ) -> None:
        self._method = method
        self._of = of
        self._moving = moving
        self._clean = of.evaluate(params)
        self.travelled = Travelled(params)

    def __iter__(self) -> Iterator[tuple[list, float]]:
        """Yields (displacement, loss) of w, z_1, ..., z_n."""
        self.travelled = Travelled(self._clean.params)
        climb = self.travelled.along(self._path(self._method))
        for point in itertools.chain([self._clean], climb):
            yield self._displaced(point)

    def one_step(self) -> tuple[list, float]:
        """Returns (displacement, loss) after the one step of length rho.

        Raises:
            ValueError: If the step has length zero.
        """
        (point,) = self._path(_climbing.one_step(self._method))
        step, loss = self._displaced(point)
        if not float(vectors.norm(step)):
            raise ValueError(
                "The first step must have a length above 0. Received: 0, since "
                "the gradient is zero"
            )
        return step, loss

    def end(self) -> list:
        """Returns the displacement of z_n."""
        ((displacement, _),) = collections.deque(self, maxlen=1)
        return displacement

    def _path(self, method: Method) -> Iterator[Point]:
        path = _climbing.climb(
            method, self._of, self._clean, self._moving, gradient_at_end=False
        )
        return iter(path)

    def _displaced(self, point: Point) -> tuple[list, float]:
        displacement = vectors.subtract(point.params, self._clean.params)
        return displacement, float(point.loss)


def axes(
    step: list, end: list, params: list, moving: Selection, seed: int
) -> tuple[list[list], str]:
    """Returns the two axes of a plane, and the kind of the second.

    Args:
        step: List of tensors, the first step of the climb.
        end: List of tensors, the displacement of the end of the climb.
        params: List of tensors, w.
        moving: `selection.Selection`, the variables that move.
        seed: Int, of a random second axis.

    Returns:
        List of two orthogonal unit vectors, and "ascent" or "random".
    """
    first = vectors.unit(step)
    # One subtraction leaves rounding errors if `end` is nearly along the first
    # axis. Two are enough.
    rest = vectors.orthogonal(vectors.orthogonal(end, first), first)
    rounding = max(2.0 ** -_DIGITS[w.dtype.name] for w in params)
    size = float(vectors.norm(params)) + float(vectors.norm(end))
    if float(vectors.norm(rest)) > 4 * rounding * size:
        return [first, vectors.unit(rest)], "ascent"
    draw = draws.normals(moving.pick(params), seed)
    draw = moving.put(vectors.scale(0.0, params), draw)
    return [first, vectors.unit(vectors.orthogonal(draw, first))], "random"


def project(
    points: Iterable[tuple[list, float]], axes: list[list], rho: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns projections onto the plane, distances from it, and losses.

    Args:
        points: Iterable of (displacement, loss).
        axes: List of two orthogonal unit vectors.
        rho: Float, the unit of lengths.
    """
    rows, distances, losses = [], [], []
    for displacement, loss in points:
        coordinates = [float(vectors.dot(displacement, e)) for e in axes]
        for e, coordinate in zip(axes, coordinates, strict=True):
            along = vectors.scale(coordinate, e)
            displacement = vectors.subtract(displacement, along)
        rows.append([coordinate / rho for coordinate in coordinates])
        distances.append(float(vectors.norm(displacement)) / rho)
        losses.append(loss)
    return np.array(rows), np.array(distances), np.array(losses)
