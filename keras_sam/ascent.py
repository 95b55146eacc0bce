"""The climb: from the weights to points of higher loss, step by step."""

from keras import ops

from keras_sam import parts
from keras_sam import vectors

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

    with r as in `RADII`; "projected" then shortens z_i - z_0 to the Euclidean
    length rho where it is longer. Each point is evaluated once, when it is
    reached: the gradient that a descent sees there also takes the next step.

    Args:
        evaluate: Function from params to a `functional.Point`.
        clean: The `functional.Point` z_0.
        perturbed: Indices of the variables that move; the others stay.
        direction: See `directions.py`.
        memory: Memory of the direction; the attribute of this name holds it
            from after the last step that was taken.
        rho: Number or scalar tensor.
        steps: Number of steps, n.
        radius: Key of `RADII`.
    """

    def __init__(
        self, evaluate, clean, perturbed, direction, memory, rho, steps, radius
    ):
        self.memory = memory
        self._evaluate = evaluate
        self._clean = clean
        self._perturbed = perturbed
        self._direction = direction
        self._rho = rho
        self._steps = steps
        self._radius = radius

    def __iter__(self):
        # Unrolled: a while_loop of the graph is far slower under XLA on a CPU.
        start = z = self._pick(self._clean.params)
        length = RADII[self._radius](self._rho, self._steps)
        point = self._clean
        for _ in range(self._steps):
            step, self.memory = parts.call(
                self._direction,
                self._pick(point.grads),
                z,
                memory=self.memory,
                returns=len(z),
            )
            z = vectors.add(z, vectors.scale(length, step))
            if self._radius == "projected":
                z = project(z, start, self._rho)
            point = self._evaluate(self._put(z))
            yield point

    def _pick(self, values):
        return [values[i] for i in self._perturbed]

    def _put(self, moved):
        params = list(self._clean.params)
        for i, value in zip(self._perturbed, moved, strict=True):
            params[i] = value
        return params


def project(z, center, rho):
    """Returns the point nearest to z in the Euclidean ball around center."""
    perturbation = vectors.subtract(z, center)
    length = vectors.norm(perturbation)
    (fit,) = vectors.scale(rho, [vectors.reciprocal(length)])
    shrink = ops.minimum(1.0, fit)
    return vectors.add(center, vectors.scale(shrink, perturbation))
