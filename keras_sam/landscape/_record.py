"""The statistics of one climb, computed while it climbs."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from keras_sam import vectors
from keras_sam._types import Point

# See `Path` for their definitions.
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


class Travelled:
    """How far a climb goes, measured while it climbs.

    Args:
        start: List of tensors, w.
    """

    def __init__(self, start: list) -> None:
        self._start = self._last = start
        self._length = 0.0

    def along(self, climb: Iterable[Point]) -> Iterator[Point]:
        """Yields the points of a climb, each after it was measured."""
        for point in climb:
            self._length += _length(vectors.subtract(point.params, self._last))
            self._last = point.params
            yield point

    def displacement(self) -> list:
        """Returns the last point minus the first."""
        return vectors.subtract(self._last, self._start)

    def distance_and_length(self) -> tuple[float, float]:
        """Returns the length of the displacement, and that of all steps."""
        return _length(self.displacement()), self._length


class Record:
    """Statistics of a climb, updated at each point.

    The record holds two points and a sum of gradients, however many points the
    climb has.
    """

    def __init__(self, clean: Point) -> None:
        self._clean = self._last = clean
        self._losses = [float(clean.loss)]
        self._norms = [_length(clean.grads)]
        self._to_previous: list[float] = []
        self._to_first: list[float] = []
        self._total: list = []
        self._travelled = Travelled(clean.params)

    def points(self, climb: Iterable[Point]) -> Iterator[Point]:
        """Yields the points of a climb, each after the record has it."""
        for point in self._travelled.along(climb):
            self._add(point)
            yield point

    def _add(self, point: Point) -> None:
        grads, total = point.grads, self._total
        self._losses.append(float(point.loss))
        self._norms.append(_length(grads))
        self._to_previous.append(cosine(self._last.grads, grads))
        self._to_first.append(cosine(self._clean.grads, grads))
        self._total = vectors.add(total, grads) if total else grads
        self._last = point

    def statistics(self, descent: list) -> dict[str, Any]:
        """Returns the statistics by name.

        Args:
            descent: List of tensors, the gradient that the descent computes.
        """
        away = self._travelled.displacement()
        distance, length = self._travelled.distance_and_length()
        return {
            "losses": self._losses,
            "gradient_norms": self._norms,
            "cosines_to_previous": self._to_previous,
            "cosines_to_first": self._to_first,
            "cosine_to_displacement": cosine(self._clean.grads, away),
            "cosine_to_mean": cosine(self._last.grads, self._total),
            "distance": distance,
            "length": length,
            "straightness": _ratio(distance, length),
            "descent_ratio": _ratio(_length(descent), self._norms[0]),
        }


def cosine(a: list, b: list) -> float:
    """Returns the cosine of the angle of two lists of tensors.

    It is 0 if one of them is zero, and never beyond -1 and 1.
    """
    # Unit vectors first: the product of two small gradients may underflow.
    cosine = float(vectors.dot(vectors.unit(a), vectors.unit(b)))
    return min(1.0, max(-1.0, cosine))


def _length(vector: list) -> float:
    return float(vectors.norm(vector))


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0
