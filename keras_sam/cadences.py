"""When to climb at all, and what to descend with on the other steps.

A cadence is called with the clean `functional.Point` and returns whether this
step climbs, a bool or a scalar bool tensor. A step that does not costs one
gradient evaluation, in a compiled step too. All replicas must decide alike:
what depends on the data needs `context.average`. Parts of a split batch decide
on their own.

Steps that do not climb descend with the clean gradient, unless the cadence has

    rest(clean, memory) -> grads
    learn(clean, grads, memory) -> memory      after a climb, from its descent

`parts.py` says how a cadence keeps a memory or asks for context.
"""

import dataclasses

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Cadence

__all__ = ["Every", "Randomly", "Reuse", "Threshold"]


@exported
@dataclasses.dataclass(frozen=True)
class Every(Cadence):
    """Each k-th step from one step on, up to another.

    Args:
        k: Int, at least 1.
        start: Int, the first of the optimizer's iterations to climb in.
        stop: Int, the first one not to climb in any more, or None.

    Reference: MosaicML Composer's SAM, which climbs in the last step of each
    interval; start and stop as in the code of SAM-ON, arXiv:2306.04226.
    """

    k: int = 1
    start: int = 0
    stop: int | None = None

    def __post_init__(self):
        _validation.integer("k", self.k, 1)
        _validation.integer("start", self.start, 0)
        if self.stop is not None:
            _validation.integer("stop", self.stop, self.start + 1)

    def __call__(self, clean, *, context):
        del clean
        if self == Every():
            return True
        since = context.iterations - self.start
        due = ops.logical_and(since >= 0, since % self.k == 0)
        if self.stop is not None:
            due = ops.logical_and(due, context.iterations < self.stop)
        return due


@exported
@dataclasses.dataclass(frozen=True)
class Randomly(Cadence):
    """Each step with a probability.

    Args:
        probability: Float in [0, 1], or a schedule of the optimizer's
            iterations.
        seed: Int.

    Reference: SS-SAM, arXiv:2203.09962, and RST, OpenReview 8foynpwwRb, of
    which the abstract says as much; no code was found.
    """

    probability: float = 0.5
    seed: int = 0

    def __post_init__(self):
        _validation.scheduled("probability", self.probability, 0.0, 1.0)
        _validation.integer("seed", self.seed, 0)

    def __call__(self, clean, *, context):
        del clean
        return context.draws(self).uniform(()) < context.value(self.probability)


@exported
@dataclasses.dataclass(frozen=True)
class Threshold(Cadence):
    """Where the gradient is long for its time: `||g_0||^2 >= m + c_t s`.

        m   <- decay m + (1 - decay) ||g_0||^2
        s^2 <- decay s^2 + (1 - decay) (||g_0||^2 - m)^2
        c_t = (t / steps) last + (1 - t / steps) first

    The lower c_t is, the more steps climb. On several replicas the squared norm
    is the mean of theirs.

    Args:
        steps: Int, at least 1, the iterations of the whole training.
        first: Float, c_t at its start.
        last: Float, c_t at its end.
        decay: Float in [0, 1).

    Reference: AE-SAM, arXiv:2304.14647. No code of the authors was found: the
    rule is from a secondary source, defaults and zeros at first unconfirmed.
    """

    steps: int
    first: float = 1.0
    last: float = -1.0
    decay: float = 0.9

    def __post_init__(self):
        _validation.integer("steps", self.steps, 1)
        _validation.number("first", self.first)
        _validation.number("last", self.last)
        _validation.fraction("decay", self.decay)

    def init(self, params):
        return {"mean": ops.zeros(()), "variance": ops.zeros(())}

    def __call__(self, clean, memory, *, context):
        square = vectors.dot(clean.grads, clean.grads)
        square = context.average(ops.cast(square, memory["mean"].dtype))
        mean = self._average(memory["mean"], square)
        variance = self._average(memory["variance"], (square - mean) ** 2)
        past = ops.minimum(
            ops.cast(context.iterations, square.dtype) / self.steps, 1.0
        )
        factor = past * self.last + (1 - past) * self.first
        climbs = square >= mean + factor * ops.sqrt(variance)
        return climbs, {"mean": mean, "variance": variance}

    def _average(self, old, new):
        return self.decay * old + (1 - self.decay) * new


@exported
@dataclasses.dataclass(frozen=True)
class Reuse(Cadence):
    """Each k-th step; the others reuse what the climb has added.

    After a climb that descends with `g`, `v = g - <g, u> u` with `u = g_0 /
    ||g_0||` is remembered; other steps descend with `g_0 + alpha ||g_0|| v /
    ||v||`.

    Args:
        k: Int, at least 1.
        alpha: Float, at least 0.

    Reference: LookSAM, arXiv:2203.02714, with norms over all variables. No code
    of the authors was found; some implementations take each on its own.
    """

    k: int = 5
    alpha: float = 0.7

    def __post_init__(self):
        _validation.integer("k", self.k, 1)
        _validation.number("alpha", self.alpha, 0.0)

    def init(self, params):
        return vectors.scale(0.0, params)

    def __call__(self, clean, memory, *, context):
        del clean
        return context.iterations % self.k == 0, memory

    def rest(self, clean, memory):
        length = vectors.norm(clean.grads)
        added = vectors.scale(self.alpha, vectors.unit(memory))
        return vectors.add(clean.grads, vectors.scale(length, added))

    def learn(self, clean, grads, memory):
        del memory
        return vectors.orthogonal(grads, clean.grads)
