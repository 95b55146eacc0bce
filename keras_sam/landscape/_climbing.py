"""Climbs on a landscape, for the diagnostics."""

import dataclasses
from typing import Any

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm import selection
from keras_sam._algorithm.climb import Path
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.objective import Objective
from keras_sam._algorithm.objective import Selected
from keras_sam._types import Batch
from keras_sam._types import Point
from keras_sam.directions import Adaptive
from keras_sam.directions import Normalized
from keras_sam.landscape._landscape import Landscape
from keras_sam.parts import Direction


def method(
    rho: float,
    ascent_steps: int,
    radius: str,
    direction: Any = Normalized(),
    **arguments: Any,
) -> Method:
    """Returns the `Method` of a diagnostic, with at least one step.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
    """
    _validation.positive("rho", rho)
    _validation.integer("ascent_steps", ascent_steps, 1)
    return Method(
        rho=rho,
        ascent_steps=ascent_steps,
        radius=radius,
        direction=direction,
        **arguments,
    )


def one_step(method: Method) -> Method:
    """Returns the same method with a single step of length rho."""
    return dataclasses.replace(method, ascent_steps=1, radius="full")


def selected(method: Method, landscape: Landscape) -> selection.Selection:
    """Returns the `Selection` of the variables that the method perturbs."""
    return selection.select(
        method.perturb, landscape.variables, landscape.model
    )


def climb(
    method: Method,
    at: Objective,
    clean: Point,
    moving: selection.Selection,
    gradient_at_end: bool = True,
) -> Path:
    """Returns the climb from a point.

    Args:
        method: `Method`.
        at: `Patch`, `Landscape` or `Rescaled`.
        clean: `Point`, with its gradient.
        moving: `selection.Selection`, the variables that move.
        gradient_at_end: Bool, whether the last point has its gradient.
    """
    memory = method.direction.init(moving.pick(clean.params))
    at = Selected(at, moving)
    return Path(method, at, clean, clean.params, memory, gradient_at_end)


class Rescaled(Objective):
    """A landscape in the coordinates `(z - w) / T`, with T of `Adaptive`.

    A Euclidean ball in these coordinates is the ellipsoid of adaptive sharpness
    in the coordinates of the weights. A step of `Normalized` in these
    coordinates is a step of `Adaptive` with the metric at w.

    Args:
        of: `Patch`.
        params: List of tensors, w.
        metric: List of tensors and numbers, T.

    Attributes:
        params: List of tensors, the coordinates of w.
    """

    def __init__(self, of: Objective, params: list, metric: list) -> None:
        self.iterations, self.examples = of.iterations, of.examples
        self.params = vectors.scale(0.0, params)
        self._of = of
        self._center = params
        self._metric = metric

    def evaluate(
        self, params: list, gradient: bool = True, batch: Batch | None = None
    ) -> Point:
        """Returns the `Point` at params, all in these coordinates."""
        weights = vectors.add(self._center, _times(self._metric, params))
        point = self._of.evaluate(weights, gradient, batch)
        grads = _times(self._metric, point.grads) if gradient else []
        return point._replace(params=params, grads=grads)


def own_coordinates(
    method: Method, at: Objective, params: list
) -> tuple[Method, Objective, list]:
    """Returns (method, objective, params) in the coordinates of a direction.

    For `Adaptive` these are the coordinates of `Rescaled`, where the climb is
    Euclidean. For other directions nothing changes.
    """
    direction = method.direction.part
    if not isinstance(direction, Adaptive):
        return method, at, params
    inner = Rescaled(at, params, direction.metric(params, at))
    method = dataclasses.replace(method, direction=Normalized())
    return method, inner, inner.params


def shortened(method: Method, fraction: float) -> Method:
    """Returns a method with each step multiplied by a fraction."""
    if fraction == 1.0:
        return method
    return dataclasses.replace(
        method, direction=Shortened(method.direction, fraction)
    )


@dataclasses.dataclass(frozen=True)
class Shortened(Direction):
    """Another direction, times a fraction.

    Args:
        adapted: `adapters.AdaptedDirection`, the other direction.
        fraction: Float.
    """

    adapted: Any
    fraction: float

    def init(self, params: list) -> Any:
        return self.adapted.init(params)

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Any
    ) -> tuple[list, Any]:
        return self.adapted(self.fraction, grads, params, memory, context)


def _times(a: list, b: list) -> list:
    return [x * y for x, y in zip(a, b, strict=True)]
