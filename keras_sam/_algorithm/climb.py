"""The climb: from the weights to points of higher loss, step by step."""

from keras import ops

from keras_sam import vectors
from keras_sam._algorithm.context import StepContext
from keras_sam._algorithm.objective import Restricted
from keras_sam._backend import control_flow

# Length of one step, given the radius rho and the number of steps n.
RADII = {
    "split": lambda rho, n: rho / n,
    "full": lambda rho, n: rho,
    "projected": lambda rho, n: rho,
    "matched": lambda rho, n: 2 * rho / (n + 1),
}


class Path:
    """The points z_1, ..., z_n above a clean point z_0, an iterator.

        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1})

    with r as in `RADII`; "projected" then shortens z_i - w to the Euclidean
    length rho where it is longer. A point is evaluated once, when it is
    reached: the gradient that a descent sees there also takes the next step.

    Args:
        method: `method.Method`.
        at: `objective.Objective`.
        clean: The `Point` z_0, with the gradient that all that climb together
            share.
        weights: List of tensors, w.
        memory: Memory of the direction.
        gradient_at_end: Whether the last point needs a gradient.

    Attributes:
        memory: Memory of the direction after the steps taken so far.
        last: The last `Point` so far; None before the first.
    """

    def __init__(
        self, method, at, clean, weights, memory, gradient_at_end=True
    ):
        self.memory, self.last, self._finite = memory, None, at.finite(clean)
        self._method, self._at, self._clean = method, at, clean
        self._weights, self._gradient_at_end = weights, gradient_at_end
        self._ascend = self._ascended
        direction = method.direction
        if direction.is_own and not direction.asks_for_context:
            # All steps are alike; a user's direction may count its calls.
            self._ascend = control_flow.traced(self._ascended)

    def __iter__(self):
        # Unrolled: a while_loop of the graph is far slower under XLA on a CPU.
        point = self._clean
        for taken in range(self._method.ascent_steps):
            point = self._reached(self._next(point, taken), taken)
            yield point

    @property
    def finite(self):
        """List of a scalar bool, whether all gradients so far are finite.

        Those of z_0 are among them. The list is empty without a loss scale.
        """
        return [ops.all(ops.stack(self._finite))] if self._finite else []

    def _next(self, point, taken):
        """Returns all params of the next point, which is not evaluated yet."""
        selection, asked = self._at.selection, {}
        if self._method.direction.asks_for_context:
            moved = Restricted(self._at, point.params)
            asked = {"context": StepContext(moved, taken)}
        grads = selection.pick(self._slope(point))
        z = selection.pick(point.params)
        z, self.memory = self._ascend(grads, z, self.memory, **asked)
        return selection.put(point.params, z)

    def _reached(self, params, taken):
        """Returns the `Point` at params, as all see it that climb together."""
        method = self._method
        gradient = self._gradient_at_end or taken + 1 < method.ascent_steps
        point = self._evaluate(params, method.descent_samples, gradient)
        self.last = self._at.shared_point(point)
        self._finite += self._at.finite(self.last)
        return self.last

    def _slope(self, point):
        """Returns the gradient that the step from a point takes."""
        samples = self._method.ascent_samples
        seen = None if point is self._clean else self._method.descent_samples
        if samples == seen:
            return point.grads
        return self._at.shared(self._evaluate(point.params, samples).grads)

    def _evaluate(self, params, samples, gradient=True):
        if samples is None:
            return self._at.evaluate(params, gradient)
        context = StepContext(self._at)
        batch = self._at.chosen(samples, params, self._clean, context)
        return self._at.evaluate(params, gradient, batch)

    def _ascended(self, grads, z, memory, context=None):
        """Returns the next z, and the memory of the direction."""
        method = self._method
        rho = self._at.value(method.rho)
        length = RADII[method.radius](rho, method.ascent_steps)
        step, memory = method.direction(length, grads, z, memory, context)
        z = vectors.add(z, step)
        if method.radius == "projected":
            center = self._at.selection.pick(self._weights)
            z = project(z, center, rho)
        return z, memory


def project(z, center, rho):
    """Returns the point nearest to z in the Euclidean ball around center."""
    perturbation = vectors.subtract(z, center)
    length = vectors.norm(perturbation)
    (fit,) = vectors.scale(rho, [vectors.reciprocal(length)])
    shrink = ops.minimum(1.0, fit)
    return vectors.add(center, vectors.scale(shrink, perturbation))
