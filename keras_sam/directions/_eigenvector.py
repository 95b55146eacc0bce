"""Steps that lean towards the top eigenvector of the Hessian."""

import dataclasses

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class Eigen(Direction):
    """`u + alpha sign(<g, v>) (v - <v, u> u)`, with `u = g / ||g||`.

    `v` is the eigenvector of the Hessian on the batch whose eigenvalue is the
    largest in magnitude, found by power iteration from the `v` before, in the
    first of each `period` steps that climb. Steps are longer than one. Passes
    are in training mode (the authors': in inference mode).

    Args:
        alpha: Float, at least 0. 0 is `Normalized`.
        period: Int, at least 1.
        iterations: Int, at least 1, Hessian-vector products each time.
        seed: Int, of the first `v`.

    Reference: Eigen-SAM, arXiv:2501.12666; rule and defaults as in the
    authors' code, which begins without `v`.
    """

    alpha: float = 0.2
    period: int = 100
    iterations: int = 5
    seed: int = 0

    def __post_init__(self):
        _validation.number("alpha", self.alpha, 0.0)
        _validation.integer("period", self.period, 1)
        _validation.integer("iterations", self.iterations, 1)
        _validation.integer("seed", self.seed, 0)

    def init(self, params):
        draws = [
            keras.random.normal(w.shape, dtype=w.dtype, seed=self.seed + i)
            for i, w in enumerate(params)
        ]
        return {"climbs": ops.zeros((), "int32"), "v": vectors.unit(draws)}

    def __call__(self, grads, params, memory, *, context):
        if context.ascent_step == 0:
            memory = self._sought(params, memory, context)
        # The mean of those of several replicas is shorter than one.
        v, u = vectors.unit(memory["v"]), vectors.unit(grads)
        side = self.alpha * ops.sign(vectors.dot(grads, v))
        away = vectors.scale(side, vectors.orthogonal(v, u))
        return vectors.add(u, away), memory

    def _sought(self, params, memory, context):
        climbs, v = memory["climbs"], memory["v"]
        due = climbs % self.period == 0
        for _ in range(self.iterations):
            # Averaged over replicas each time: as on one device, if synced.
            v = context.when(
                due,
                lambda alone, v=v: vectors.unit(
                    alone.hessian_vector_product(params, v)
                ),
                v,
            )
        # Of the two signs the one before, lest replicas cancel each other.
        sign = ops.where(vectors.dot(v, memory["v"]) < 0, -1.0, 1.0)
        return {"climbs": climbs + 1, "v": vectors.scale(sign, v)}
