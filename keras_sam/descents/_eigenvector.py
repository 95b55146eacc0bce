"""Descents that turn away from the top eigenvector of the Hessian."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _eigenvector
from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class EigenCorrected(Descent):
    """`g_n / ||g_n|| - alpha sign(<g_n, v>) <g_n, v> v`.

    `v` is an eigenvector of the Hessian at the clean point, on the batch and
    over all trained variables: the one whose eigenvalue is the largest in
    magnitude. Power iteration finds it as for `directions.Eigen`. The first
    term has length one, however long the gradient is.

    The rule takes `alpha |<g_n, v>| v` away, so it depends on the sign of v.
    No source that was read says how the authors choose the sign. Here the first
    v has a random sign, and each v the sign that is nearer to the one before.

    Args:
        alpha: Float, at least 0. 0 is the direction of `Last`.
        period: Int, at least 1, the train steps that climb with one `v`.
        iterations: Int, at least 1, the Hessian-vector products for each `v`.
        seed: Int, at least 0. It decides where the first power iteration
            begins.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.

    Reference: X-SAM, arXiv:2601.10251; not XSAM, which is `SearchedSlerp`. Not
    confirmed: no code of the authors was found, and the rule is from secondary
    sources. The defaults of `period` and `iterations` are from `Eigen`.
    """

    alpha: float = 0.2
    period: int = 100
    iterations: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha, 0.0)
        _validation.integer("period", self.period, 1)
        _validation.integer("iterations", self.iterations, 1)
        _validation.integer("seed", self.seed, 0)

    def init(self, params: list) -> Any:
        return _eigenvector.first(params, self.seed)

    def finish(
        self, clean: Any, last: Any, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        memory = _eigenvector.renewed(
            memory, clean.params, self.period, self.iterations, context
        )
        v = _eigenvector.of(memory)
        along = ops.abs(vectors.dot(last.grads, v))
        correction = vectors.scale(self.alpha * along, v)
        return vectors.subtract(vectors.unit(last.grads), correction), memory
