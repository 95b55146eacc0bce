"""Steps that lean towards the top eigenvector of the Hessian."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _eigenvector
from keras_sam import _validation
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class Eigen(Direction):
    """`u + alpha sign(<g, v>) (v - <v, u> u)`, with `u = g / ||g||`.

    `v` is an eigenvector of the Hessian on the batch, the one whose eigenvalue
    is the largest in magnitude. Power iteration from the previous `v` finds it,
    in the first of each `period` train steps that climb. Steps are longer than
    one. Passes are in training mode (in the authors' code: in inference mode).

    Args:
        alpha: Float, at least 0. 0 is `Normalized`.
        period: Int, at least 1, the train steps that climb with one `v`.
        iterations: Int, at least 1, the Hessian-vector products for each `v`.
        seed: Int, at least 0. It decides where the first power iteration
            begins.

    Reference: Eigen-SAM, arXiv:2501.12666; rule and defaults as in the
    authors' code, which begins without `v`.
    """

    alpha: float = 0.2
    period: int = 100
    iterations: int = 5
    seed: int = 0
    loops = True

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha, 0.0)
        _validation.integer("period", self.period, 1)
        _validation.integer("iterations", self.iterations, 1)
        _validation.integer("seed", self.seed, 0)

    def init(self, params: list) -> Any:
        return _eigenvector.first(params, self.seed)

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        memory = control_flow.cond(
            context.ascent_step == 0,
            lambda: _eigenvector.renewed(
                memory, params, self.period, self.iterations, context
            ),
            lambda: memory,
        )
        v, u = _eigenvector.of(memory), vectors.unit(grads)
        side = self.alpha * ops.sign(vectors.dot(grads, v))
        away = vectors.scale(side, vectors.orthogonal(v, u))
        return vectors.add(u, away), memory
