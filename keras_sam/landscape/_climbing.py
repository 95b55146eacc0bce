"""Climbs on a landscape, for the diagnostics that look at them."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_sam import _types
from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._algorithm import method
from keras_sam._algorithm import selection
from keras_sam._algorithm.climb import RADII
from keras_sam._algorithm.climb import Climb
from keras_sam._algorithm.context import Context
from keras_sam.directions import Adaptive
from keras_sam.directions import Normalized


@dataclasses.dataclass(frozen=True)
class Rule:
    """How to climb; the fields are as in `sharpness.sharpness`."""

    rho: float
    ascent_steps: int
    radius: str
    direction: Any = Normalized()
    fraction: float = 1.0
    perturb: Any = None

    def __post_init__(self):
        _validation.positive("rho", self.rho)
        _validation.integer("ascent_steps", self.ascent_steps, 1)
        _validation.choice("radius", self.radius, tuple(RADII))
        parts.part("direction", self.direction)
        method.perturb(self.perturb)
        _validation.positive("fraction", self.fraction)
        _validation.number("fraction", self.fraction, 0.0, 1.0)

    def moving(self, landscape):
        """Returns the `perturbed.Moving` of a landscape's variables."""
        models = landscape.model, getattr(landscape.model, "model", None)
        wrappers = [
            f"{model.name}/"
            for model in models
            if isinstance(model, keras.Model)
        ]
        return selection.Moving(
            selection.indices(self.perturb, landscape.variables, wrappers)
        )

    def first_is_whole(self):
        """Whether the first step has length rho."""
        if self.radius == "projected":
            return self.fraction == 1.0
        return self.ascent_steps == 1 or self.radius == "full"

    def one_step(self):
        """Returns the rule of a single step of length rho."""
        return dataclasses.replace(self, ascent_steps=1, radius="full")


def climb(patch, clean, rule, moving, slope_at_end=True):
    """Returns the `ascent.Climb` from a point, and its `context.Context`.

    Args:
        patch: `landscape.Patch` or `landscape.Landscape`.
        clean: `functional.Point`, with gradients.
        rule: `Rule`.
        moving: `perturbed.Moving`.
        slope_at_end: Bool, whether to have the gradient at the last point.
    """
    taken = 0

    def evaluate(params, gradient=True):
        return point(patch, params, gradient)

    def visit(params):
        nonlocal taken
        taken += 1
        return evaluate(params, slope_at_end or taken < rule.ascent_steps)

    surroundings = Context(
        ops.convert_to_tensor(getattr(patch, "index", 0), "int64"),
        patch.size,
        0,
        evaluate,
        patch.hessian_vector_product,
        patch.squared_gradients,
        list,
        list,
    )
    direction = rule.direction
    if rule.radius == "projected" and rule.fraction != 1.0:
        direction = _Shortened(direction, rule.fraction)
    return Climb(
        visit,
        lambda at: at.grads,
        clean,
        clean.params,
        moving,
        direction,
        parts.init(direction, moving.pick(clean.params)),
        surroundings,
        rule.rho,
        rule.ascent_steps,
        rule.radius,
    ), surroundings


def point(patch, params, gradient=True):
    """Returns the `functional.Point` at params."""
    loss, grads = None, []
    if gradient:
        loss, grads = patch.loss_and_gradient(params)
    else:
        loss = patch.loss(params)
    return _types.Point(params, loss, grads, None, [], [])


class Rescaled:
    """A landscape in the coordinates `(z - w) / T`, with `T = |w| + eta`.

    A Euclidean ball here is the ellipsoid of adaptive sharpness there, and the
    step of `Normalized` is that of `Adaptive` with the metric at w.

    Args:
        patch: `landscape.Patch`.
        params: List of tensors, w.
        eta: Float.
    """

    def __init__(self, patch, params, eta):
        self.index = patch.index
        self.size = patch.size
        self.params = vectors.scale(0.0, params)
        self._patch = patch
        self._center = params
        self._metric = [ops.abs(w) + eta for w in params]

    def loss(self, params):
        """Returns the mean loss, a scalar tensor."""
        return self._patch.loss(self._there(params))

    def loss_and_gradient(self, params):
        """Returns the mean loss, and its gradient in these coordinates."""
        loss, grads = self._patch.loss_and_gradient(self._there(params))
        return loss, _times(self._metric, grads)

    def _there(self, params):
        return vectors.add(self._center, _times(self._metric, params))

    # No context is asked for by `Normalized`.
    hessian_vector_product = squared_gradients = None


def own_coordinates(patch, params, rule):
    """Returns (patch, params, rule) in which the rule is Euclidean.

    Of `Adaptive` that is `Rescaled`; else they are as given.
    """
    if not isinstance(rule.direction, Adaptive):
        return patch, params, rule
    patch = Rescaled(patch, params, rule.direction.eta)
    rule = dataclasses.replace(rule, direction=Normalized())
    return patch, patch.params, rule


class _Shortened:
    """A direction whose steps are a fraction of those of another."""

    def __init__(self, direction, fraction):
        self._direction = direction
        self._fraction = fraction
        if hasattr(direction, "init"):
            self.init = direction.init

    def __call__(self, grads, params, *memory, context):
        step, learnt = parts.call(
            self._direction,
            grads,
            params,
            memory=memory[0] if memory else (),
            context=context,
        )
        step = parts.tensors(self._direction, step, len(params))
        step = vectors.scale(self._fraction, step)
        return (step, learnt) if memory else step


def _times(a, b):
    return [x * y for x, y in zip(a, b, strict=True)]
