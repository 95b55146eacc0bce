"""The climb: from the weights to points of higher loss, step by step."""

from keras import ops

from keras_sam import parts
from keras_sam import vectors
from keras_sam._backend import control_flow

# Length of one step, given the radius rho and the number of steps n.
RADII = {
    "split": lambda rho, n: rho / n,
    "full": lambda rho, n: rho,
    "projected": lambda rho, n: rho,
    "matched": lambda rho, n: 2 * rho / (n + 1),
}


class Climb:
    """Iterates over the points z_1, ..., z_n above a clean point z_0.

        z_i = z_{i-1} + r * direction(g_{i-1}, z_{i-1})

    with r as in `RADII`; "projected" then shortens z_i - w to the Euclidean
    length rho where it is longer. Each point is evaluated once, when it is
    reached: the gradient that a descent sees there also takes the next step.

    Args:
        evaluate: Function from params to a `functional.Point`.
        slope: Function from a point to the gradients of the next step.
        clean: The `functional.Point` z_0.
        center: List of tensors, the weights w.
        moving: `perturbed.Moving`; the other variables stay.
        direction: See `directions.py`.
        memory: Memory of the direction; the attribute of this name holds it
            from after the last step that was taken.
        context: `context.Context`.
        rho: Number or scalar tensor.
        steps: Number of steps, n.
        radius: Key of `RADII`.
    """

    def __init__(
        self,
        evaluate,
        slope,
        clean,
        center,
        moving,
        direction,
        memory,
        context,
        rho,
        steps,
        radius,
    ):
        self.memory = memory
        self._evaluate = evaluate
        self._slope = slope
        self._clean = clean
        self._center = moving.pick(center)
        self._moving = moving
        self._direction = direction
        self._context = context
        self._rho = rho
        self._steps = steps
        self._radius = radius

    def __iter__(self):
        # Unrolled: a while_loop of the graph is far slower under XLA on a CPU.
        params = self._clean.params
        z = self._moving.pick(params)
        point = self._clean
        asks = parts.asks_for_context(self._direction)
        ascend = self._ascend
        if parts.is_own(self._direction) and not asks:
            # All steps are alike; a user's direction may count its calls.
            ascend = control_flow.traced(ascend)
        for taken in range(self._steps):
            grads = self._moving.pick(self._slope(point))
            context = self._context.of(self._moving, params, taken)
            asked = {"context": context} if asks else {}
            z, self.memory = ascend(grads, z, self.memory, **asked)
            point = self._evaluate(self._moving.put(params, z))
            yield point

    def _ascend(self, grads, z, memory, context=None):
        """Returns the next z, and the memory of the direction."""
        length = RADII[self._radius](self._rho, self._steps)
        # Not an inherited one: `__call__` may be another by now.
        if callable(vars(type(self._direction)).get("factor")):
            step = grads
            (length,) = vectors.scale(length, [self._direction.factor(grads)])
        else:
            step, memory = parts.call(
                self._direction, grads, z, memory=memory, context=context
            )
            step = parts.tensors(self._direction, step, len(z))
        z = vectors.add(z, vectors.scale(length, step))
        if self._radius == "projected":
            z = project(z, self._center, self._rho)
        return z, memory


def project(z, center, rho):
    """Returns the point nearest to z in the Euclidean ball around center."""
    perturbation = vectors.subtract(z, center)
    length = vectors.norm(perturbation)
    (fit,) = vectors.scale(rho, [vectors.reciprocal(length)])
    shrink = ops.minimum(1.0, fit)
    return vectors.add(center, vectors.scale(shrink, perturbation))
