"""Directions that remember an average of gradients."""

import dataclasses

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Direction


class _Averaging(Direction):
    """Has a mean of the first gradients of climbs, `{"mean", "climbs"}`."""

    def init(self, params):
        return {
            "mean": vectors.scale(0.0, params),
            "climbs": ops.zeros((), "int32"),
        }

    def _updated(self, memory, grads, decay, context):
        """Returns the memory with the gradient at the foot of a climb in it.

        `m <- decay m + (1 - decay) g`, but `m <- g` the first time.
        """
        if context.ascent_step > 0:
            return memory
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

    Climbs along what is peculiar to the batch. Before the first climb m is 0,
    after it g.

    Args:
        sigma: Float. 0 is `Normalized`.
        decay: Float in [0, 1).

    Reference: F-SAM, arXiv:2403.12350; rule and defaults as in the authors'
    code, whose m is that of the climbs before. (For sigma = 1 the direction
    is that of the paper, whose m includes the present g.)
    """

    sigma: float = 1.0
    decay: float = 0.9

    def __post_init__(self):
        _validation.number("sigma", self.sigma)
        _validation.fraction("decay", self.decay)

    def __call__(self, grads, params, memory, *, context):
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

    In later steps of a climb m stays, and so does the direction.

    Args:
        theta: Float, above 0, at most 1. 1 is `Normalized` in a climb of one
            step.

    Reference: VaSSO, arXiv:2309.15639; rule and default as in the authors'
    code.
    """

    theta: float = 0.9

    def __post_init__(self):
        _validation.positive("theta", self.theta)
        _validation.number("theta", self.theta, 0.0, 1.0)

    def __call__(self, grads, params, memory, *, context):
        del params
        memory = self._updated(memory, grads, 1 - self.theta, context)
        return vectors.unit(memory["mean"]), memory
