"""Directions that remember an average of gradients."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction


class _Averaging(Direction):
    """Remembers the mean of the first gradient of each climb.

    The memory is `{"mean", "climbs"}`.
    """

    def init(self, params: list) -> Any:
        return {
            "mean": vectors.scale(0.0, params),
            "climbs": ops.zeros((), "int32"),
        }

    def _updated(
        self, memory: Any, grads: list, decay: float, context: Context
    ) -> Any:
        """Returns the memory, with the gradient at the foot of a climb."""
        return control_flow.cond(
            context.ascent_step == 0,
            lambda: self._with(memory, grads, decay),
            lambda: memory,
        )

    def _with(self, memory: Any, grads: list, decay: float) -> Any:
        """`m <- decay m + (1 - decay) g`, but `m <- g` the first time."""
        mean = vectors.add(
            vectors.scale(decay, memory["mean"]),
            vectors.scale(1 - decay, grads),
        )
        first = memory["climbs"] == 0
        return {
            "mean": [
                ops.where(first, g, m) for g, m in zip(grads, mean, strict=True)
            ],
            "climbs": memory["climbs"] + 1,
        }


@exported
@dataclasses.dataclass(frozen=True)
class Friendly(_Averaging):
    """`a / ||a||` with `a = g - sigma m`, then `m <- decay m + (1 - decay) g`.

    Climbs along the part of the gradient that is peculiar to the batch. m is 0
    before the first climb, and the g of the first climb after it.

    Args:
        sigma: Float. 0 is `Normalized`.
        decay: Float in [0, 1).

    Reference: F-SAM, arXiv:2403.12350; rule and defaults as in the authors'
    class, where m holds the earlier climbs only. (In the paper m includes the
    present g. For sigma = 1 both give the same direction.)
    """

    sigma: float = 1.0
    decay: float = 0.9
    loops = True

    def __post_init__(self) -> None:
        _validation.number("sigma", self.sigma)
        _validation.fraction("decay", self.decay)

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        del params
        away = vectors.subtract(
            grads, vectors.scale(self.sigma, memory["mean"])
        )
        memory = self._updated(memory, grads, self.decay, context)
        return vectors.unit(away), memory


@exported
@dataclasses.dataclass(frozen=True)
class VarianceSuppressed(_Averaging):
    """`m / ||m||` with `m <- (1 - theta) m + theta g`, at first g.

    m changes in the first step of a climb only, so all steps of a climb have
    the same direction.

    Args:
        theta: Float, above 0, at most 1. With 1, a climb of one step is that
            of `Normalized`.

    Reference: VaSSO, arXiv:2309.15639; rule and default as in the authors'
    code.
    """

    theta: float = 0.9
    loops = True

    def __post_init__(self) -> None:
        _validation.positive("theta", self.theta)
        _validation.number("theta", self.theta, 0.0, 1.0)

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        del params
        memory = self._updated(memory, grads, 1 - self.theta, context)
        return vectors.unit(memory["mean"]), memory
