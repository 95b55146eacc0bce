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
    """Iterates over the points z_1, ..., z_n of a climb from a clean point z_0.

        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1})

    with r as in `RADII`. "projected" then shortens z_i - w to the Euclidean
    length rho if it is longer. The climb evaluates a point when the iterator
    reaches it. The descent and the next step share the gradient there, unless
    they are on different examples.

    Args:
        method: `method.Method`.
        at: `objective.Objective`.
        clean: The `Point` z_0, `shared` by all replicas that climb together.
        weights: List of tensors, w.
        selection: `selection.Selection`, the variables that move.
        memory: The memory of the direction.
        gradient_at_end: Bool, whether the last point needs a gradient.

    Attributes:
        memory: The memory of the direction after the steps so far.
        last: The last `Point` reached, with the loss of this replica. It is
            None before the first step.
        finite: List of scalar bool tensors, one for z_0 and one for each point
            reached: whether its gradient is finite. The list is empty without
            a loss scale.
    """

    def __init__(
        self,
        method,
        at,
        clean,
        weights,
        selection,
        memory,
        gradient_at_end=True,
    ):
        self.memory, self.last, self.finite = memory, None, []
        self._method, self._at, self._clean = method, at, clean
        self._weights, self._selection = weights, selection
        self._gradient_at_end = gradient_at_end
        self._note(clean)

    def __iter__(self):
        # Unrolled: a while_loop of the graph is far slower under XLA on a CPU.
        method, at, point = self._method, self._at, self._clean
        ascend = self._ascend
        if method.direction.is_own and not method.direction.asks_for_context:
            # The steps of our own directions are alike, so one trace serves
            # all of them. A user's direction may count its calls.
            ascend = control_flow.traced(ascend)
        for taken in range(method.ascent_steps):
            grads = self._selection.pick(self._slope(point))
            z = self._selection.pick(point.params)
            keywords = self._context(point.params, taken)
            z, self.memory = ascend(grads, z, self.memory, **keywords)
            params = self._selection.put(point.params, z)
            gradient = self._gradient_at_end or taken + 1 < method.ascent_steps
            alone = self._evaluate(params, method.descent_samples, gradient)
            point = at.shared_point(alone)
            self.last = point._replace(loss=alone.loss)
            self._note(point)
            yield point

    def _note(self, point):
        if self._at.loss_scaled:
            self.finite.append(vectors.all_finite(point.grads))

    def _context(self, params, taken):
        """Returns the keyword arguments of `_ascend` beyond its tensors."""
        if not self._method.direction.asks_for_context:
            return {}
        at = Restricted(self._at, self._selection, params)
        return {"context": StepContext(at, taken)}

    def _slope(self, point):
        """Returns the gradient that the step from a point takes."""
        samples = self._method.ascent_samples
        own = None if point is self._clean else self._method.descent_samples
        if samples == own:
            return point.grads
        return self._at.shared(self._evaluate(point.params, samples).grads)

    def _evaluate(self, params, samples, gradient=True):
        if samples is None:
            return self._at.evaluate(params, gradient)
        context = StepContext(self._at)
        batch = self._at.chosen(samples, params, self._clean, context)
        return self._at.evaluate(params, gradient, batch)

    def _ascend(self, grads, z, memory, context=None):
        """Returns the next z, and the memory of the direction."""
        method = self._method
        rho = self._at.value(method.rho)
        length = RADII[method.radius](rho, method.ascent_steps)
        step, memory = method.direction(length, grads, z, memory, context)
        z = vectors.add(z, step)
        if method.radius == "projected":
            z = project(z, self._selection.pick(self._weights), rho)
        return z, memory


def project(z, center, rho):
    """Returns the point nearest to z in the Euclidean ball around center."""
    perturbation = vectors.subtract(z, center)
    length = vectors.norm(perturbation)
    (fit,) = vectors.scale(rho, [vectors.reciprocal(length)])
    shrink = ops.minimum(1.0, fit)
    return vectors.add(center, vectors.scale(shrink, perturbation))
