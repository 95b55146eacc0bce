"""A method's climb on a landscape, for the diagnostics that look at it."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm import selection
from keras_sam._algorithm.climb import Path
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.objective import Objective
from keras_sam.directions import Adaptive
from keras_sam.directions import Normalized
from keras_sam.parts import Direction


def method(rho, ascent_steps, radius, direction=Normalized(), **arguments):
    """Returns the `Method` of a diagnostic, which must really climb.

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


def one_step(method):
    """Returns the same method with a single step of length rho."""
    return dataclasses.replace(method, ascent_steps=1, radius="full")


def selected(method, landscape):
    """Returns the `selection.Selection` of a landscape's variables."""
    models = landscape.model, getattr(landscape.model, "model", None)
    wrappers = [
        f"{model.name}/" for model in models if isinstance(model, keras.Model)
    ]
    return selection.select(method.perturb, landscape.variables, wrappers)


def climb(method, at, clean, moving, gradient_at_end=True):
    """Returns the `climb.Path` from a point.

    Args:
        method: `Method`.
        at: `Patch` or `Landscape`.
        clean: `Point`, with its gradient.
        moving: `selection.Selection`.
        gradient_at_end: Bool, whether to have the gradient at the last point.
    """
    memory = method.direction.init(moving.pick(clean.params))
    return Path(
        method, at, clean, clean.params, moving, memory, gradient_at_end
    )


class Rescaled(Objective):
    """A landscape in the coordinates `(z - w) / T`, with `T = |w| + eta`.

    A Euclidean ball here is the ellipsoid of adaptive sharpness there, and the
    step of `Normalized` is that of `Adaptive` with the metric at w.

    Args:
        of: `Patch`.
        params: List of tensors, w.
        eta: Float.

    Attributes:
        params: List of tensors, the coordinates of w.
    """

    def __init__(self, of, params, eta):
        self.iterations, self.examples = of.iterations, of.examples
        self.params = vectors.scale(0.0, params)
        self._of = of
        self._center = params
        self._metric = [ops.abs(w) + eta for w in params]

    def evaluate(self, params, gradient=True, batch=None):
        there = vectors.add(self._center, _times(self._metric, params))
        point = self._of.evaluate(there, gradient, batch)
        grads = _times(self._metric, point.grads) if gradient else []
        return point._replace(params=params, grads=grads)


def own_coordinates(method, at, params):
    """Returns (method, objective, params) in which the climb is Euclidean.

    For `Adaptive` they are those of `Rescaled`; else they are as given.
    """
    direction = method.direction.part
    if not isinstance(direction, Adaptive):
        return method, at, params
    at = Rescaled(at, params, direction.eta)
    method = dataclasses.replace(method, direction=Normalized())
    return method, at, at.params


def shortened(method, fraction):
    """Returns a method whose steps are a fraction as long."""
    if fraction == 1.0:
        return method
    return dataclasses.replace(
        method, direction=Shortened(method.direction, fraction)
    )


@dataclasses.dataclass(frozen=True)
class Shortened(Direction):
    """A direction whose steps are a fraction of those of another.

    Args:
        adapted: `roles.Direction`.
        fraction: Float.
    """

    adapted: Any
    fraction: float

    def init(self, params):
        return self.adapted.init(params)

    def __call__(self, grads, params, memory, *, context):
        return self.adapted(self.fraction, grads, params, memory, context)


def _times(a, b):
    return [x * y for x, y in zip(a, b, strict=True)]
