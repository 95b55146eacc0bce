"""The climb: from the weights to points of higher loss, step by step."""

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


class Path:
    """Iterates over the points z_1, ..., z_n of a climb from a clean point z_0.

        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1})

    with r as in `STEP_LENGTHS`. "projected" then shortens z_i - w to the
    Euclidean length rho if it is longer. The climb evaluates a point when the
    iterator reaches it. The descent and the next step share the gradient there,
    unless they are on different examples. A path can be iterated over once.

    Args:
        method: `method.Method`.
        at: `objective.Objective`.
        clean: The `Point` z_0, `shared` by all replicas that climb together.
        weights: List of tensors, w.
        memory: The memory of the direction.
        gradient_at_end: Bool, whether the last point needs a gradient.
        evaluates_end: Bool, whether the last point needs more than its params.
        number: Int, the number of the climb within the train step.
        finite: List that gets a scalar bool for each gradient, or None for a
            new one.

    Attributes:
        memory: The memory of the direction after the steps so far.
        last: The last `Point` reached, or None before the first step.
    """

    def __init__(
        self,
        method,
        at,
        clean,
        weights,
        memory,
        gradient_at_end=True,
        evaluates_end=True,
        number=0,
        finite=None,
    ):
        self.memory, self.last = memory, None
        self._finite = at.finite(clean) if finite is None else finite
        self._first_memory, self._number, self._climbs = memory, number, 1
        self._method, self._at, self._clean = method, at, clean
        self._weights, self._gradient_at_end = weights, gradient_at_end
        self._evaluates_end = evaluates_end
        self._rho = at.value(method.rho)  # Once, if it is a schedule.
        self._ascent = self._ascend
        direction = method.direction
        if direction.is_own and not direction.asks_for_context:
            # The steps of our own directions are alike, so one trace serves
            # all of them. A user's direction may count its calls.
            self._ascent = control_flow.traced(self._ascend)

    def __iter__(self):
        # Unrolled: a while_loop of the graph is far slower under XLA on a CPU.
        point = self._clean
        for taken in range(self._method.ascent_steps):
            point = self._reached(self._next(point, taken), taken)
            yield point

    def again(self):
        """Returns another `Path` from z_0, whose directions draw other numbers.

        It starts with the memory that this path has started with, and leaves
        none. `finite` of this path counts its gradients, too.
        """
        other = Path(
            self._method,
            self._at,
            self._clean,
            self._weights,
            self._first_memory,
            self._gradient_at_end,
            self._evaluates_end,
            self._climbs,
            self._finite,
        )
        self._climbs += 1
        return other

    @property
    def finite(self):
        """A list of one scalar bool: whether all gradients so far are finite.

        The gradient at z_0 counts too. The list is empty without a loss scale.
        """
        return [ops.all(ops.stack(self._finite))] if self._finite else []

    def _next(self, point, taken):
        """Steps from a point; returns the params of the next one.

        This updates the memory of the direction.
        """
        selection, asked = self._at.selection, {}
        if self._method.direction.asks_for_context:
            moved = Restricted(self._at, point.params)
            asked = {
                "context": StepContext(moved, self._rho, taken, self._number)
            }
        grads = selection.pick(self._slope(point))
        z = selection.pick(point.params)
        z, self.memory = self._ascent(grads, z, self.memory, **asked)
        return selection.put(point.params, z)

    def _reached(self, params, taken):
        """Evaluates a point, shares it with other replicas, and notes it."""
        method = self._method
        at_end = taken + 1 == method.ascent_steps
        if at_end and not self._evaluates_end:
            self.last = Point(params, None, [], None, [], [])
            return self.last
        gradient = self._gradient_at_end or not at_end
        point = self._evaluate(params, method.descent_samples, gradient)
        self.last = self._at.shared_point(point)
        self._finite += self._at.finite(self.last)
        return self.last

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

    def _ascend(self, grads, z, memory, context=None):
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
