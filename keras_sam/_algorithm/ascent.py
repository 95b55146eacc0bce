"""A step of a climb, as a function without state."""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from keras_sam import vectors
from keras_sam._algorithm.context import StepContext
from keras_sam._algorithm.objective import Restricted
from keras_sam._backend import control_flow
from keras_sam._types import Point


class StepLength(NamedTuple):
    """The length of one step, given the radius rho and the number of steps n.

    Attributes:
        rule: Function of rho and n.
        words: String, the same for users to read.
    """

    rule: Callable
    words: str


STEP_LENGTHS = {
    "split": StepLength(lambda rho, n: rho / n, "rho / n"),
    "full": StepLength(lambda rho, n: rho, "rho"),
    "projected": StepLength(
        lambda rho, n: rho, "rho, kept within rho of the weights"
    ),
    "matched": StepLength(lambda rho, n: 2 * rho / (n + 1), "2 rho / (n + 1)"),
}


class Ascent:
    """Steps from a point of a climb to the next, and evaluates it.

    The arguments are those of `climb.Path`.
    """

    def __init__(
        self,
        method,
        at,
        clean,
        weights,
        gradient_at_end,
        evaluates_end,
        number,
    ):
        self._method, self._at, self._clean = method, at, clean
        self._weights, self._number = weights, number
        self._gradient_at_end = gradient_at_end
        self._evaluates_end = evaluates_end
        self._rho = at.value(method.rho)  # Once, if it is a schedule.
        self._moved = self._move
        direction = method.direction
        if direction.is_own and not direction.asks_for_context:
            # The steps of our own directions are alike, so one trace serves
            # all of them. A user's direction may count its calls.
            self._moved = control_flow.traced(self._move)

    def __call__(self, point, memory, taken, at_end=False):
        """Returns the next `Point`, and the memory of the direction.

        The point is shared with the other replicas that climb together.

        Args:
            point: The present `Point`.
            memory: The memory of the direction.
            taken: Int or scalar int tensor, the number of steps already taken.
            at_end: Bool, whether the next point is the end of the climb.
        """
        params, memory = self._next(point, memory, taken)
        if at_end and not self._evaluates_end:
            return Point(params, None, [], None, [], []), memory
        gradient = self._gradient_at_end or not at_end
        samples = self._method.descent_samples
        return self._at.shared_point(
            self._evaluate(params, samples, gradient)
        ), memory

    @property
    def alike(self):
        """The number of steps that differ in nothing but their number."""
        ends = self._gradient_at_end and self._evaluates_end
        return self._method.ascent_steps - (0 if ends else 1)

    def _next(self, point, memory, taken):
        """Returns the params of the next point, and the memory."""
        selection, asked = self._at.selection, {}
        if self._method.direction.asks_for_context:
            moved = Restricted(self._at, point.params)
            asked = {
                "context": StepContext(moved, self._rho, taken, self._number)
            }
        grads = selection.pick(self._slope(point))
        z = selection.pick(point.params)
        z, memory = self._moved(grads, z, memory, **asked)
        return selection.put(point.params, z), memory

    def _slope(self, point):
        """Returns the gradient that the step from a point takes."""
        if self._method.shares_gradient(first=point is self._clean):
            return point.grads
        samples = self._method.ascent_samples
        return self._at.shared(self._evaluate(point.params, samples).grads)

    def _evaluate(self, params, samples, gradient=True):
        if samples is None:
            return self._at.evaluate(params, gradient)
        context = StepContext(self._at, self._rho)
        batch = self._at.chosen(samples, params, self._clean, context)
        return self._at.evaluate(params, gradient, batch)

    def _move(self, grads, z, memory, context=None):
        """Returns the next z, and the memory of the direction."""
        method, rho = self._method, self._rho
        length = STEP_LENGTHS[method.radius].rule(rho, method.ascent_steps)
        step, memory = method.direction(length, grads, z, memory, context)
        z = vectors.add(z, step)
        if method.radius == "projected":
            center = self._at.selection.pick(self._weights)
            z = project(z, center, rho)
        return z, memory


def project(z, center, rho):
    """Returns the point nearest to z within distance rho of center."""
    perturbation = vectors.subtract(z, center)
    length = vectors.norm(perturbation)
    (fit,) = vectors.scale(rho, [vectors.reciprocal(length)])
    shrink = ops.minimum(1.0, fit)
    return vectors.add(center, vectors.scale(shrink, perturbation))
