"""Which train steps climb, and what the other train steps descend with.

A cadence gets the clean point, with `params`, `loss` and `grads`, and returns a
bool or a scalar bool tensor: whether this train step climbs. A train step that
does not climb costs one gradient evaluation, in a compiled step too. It
descends with the clean gradient, or with what the hook `rest` returns. All
replicas must decide alike. Any callable will do, and a subclass of
`keras_sam.parts.Cadence` may do more: keep a memory, ask for context, or be
saved with the model.

    def early(clean, *, context):
        return context.iterations < 1000

    sam = keras_sam.SAM(model, cadence=early)

- climb in each k-th train step: `Every`, and `Reuse`, which reuses the climb
- climb in the last part of the training: `LatePhase`
- climb at random: `Randomly`
- climb where the gradient is long: `Threshold`
"""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported

__all__ = ["Every", "LatePhase", "Randomly", "Reuse", "Threshold"]


@exported
@dataclasses.dataclass(frozen=True)
class Every(parts.Cadence):
    """Each k-th step from one step on, up to another.

    Args:
        k: Int, at least 1.
        start: Int, at least 0, the first of the optimizer's iterations that
            climbs.
        stop: Int, above `start`, the first of the optimizer's iterations that
            does not climb any more; or None.

    Reference: MosaicML Composer's SAM, which climbs in the last step of each
    interval, as `Every(k, start=k - 1)` does; start and stop as in the code of
    SAM-ON, arXiv:2306.04226.
    """

    k: int = 1
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        _validation.integer("k", self.k, 1)
        _validation.integer("start", self.start, 0)
        if self.stop is not None:
            _validation.integer("stop", self.stop, self.start + 1)

    def __call__(self, clean: Any, *, context: parts.Context) -> Any:
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
class LatePhase(parts.Cadence):
    """Each step of the last part of the training.

    The first `start` steps do not climb. All later ones do, those after the end
    of the training too, and the last step of the training in any case:

        start = min(round((1 - fraction) steps), steps - 1)

    `keras_sam.schedules.WarmupStableDecay` takes `start`, so that the learning
    rate decays where the climbs are. docs/late_phase.md shows both.

    Args:
        steps: Int, at least 1, the iterations of the whole training.
        fraction: Float above 0, at most 1, the share of the steps that climb.

    Reference: arXiv:2410.10373, whose code (zzp1012/SAM-in-Late-Phase,
    `script/ERM_to_SAM.py`) counts epochs; a fraction of the steps, and how it
    is rounded, as in the package temperon 0.1.1.
    """

    steps: int
    fraction: float = 0.3

    def __post_init__(self) -> None:
        _validation.integer("steps", self.steps, 1)
        _validation.number("fraction", self.fraction, 0.0, 1.0)
        _validation.positive("fraction", self.fraction)

    @property
    def start(self) -> int:
        """The first of the optimizer's iterations that climbs."""
        return min(round((1 - self.fraction) * self.steps), self.steps - 1)

    def __call__(self, clean: Any, *, context: parts.Context) -> Any:
        del clean
        return self.start == 0 or context.iterations >= self.start


@exported
@dataclasses.dataclass(frozen=True)
class Randomly(parts.Cadence):
    """Each step with a probability.

    Args:
        probability: Float in [0, 1], or a schedule of the optimizer's
            iterations.
        seed: Int, at least 0.

    Reference: SS-SAM, arXiv:2203.09962, and RST, OpenReview 8foynpwwRb, as in
    the authors' code (zhaoyang-0204/gnp, training/training_core.py).
    """

    probability: Any = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        _validation.scheduled("probability", self.probability, 0.0, 1.0)
        _validation.integer("seed", self.seed, 0)

    def __call__(self, clean: Any, *, context: parts.Context) -> Any:
        del clean
        return context.draws(self).uniform(()) < context.value(self.probability)


@exported
@dataclasses.dataclass(frozen=True)
class Threshold(parts.Cadence):
    """Where the gradient is long for its time: `||g_0||^2 >= m + c_t s`.

        m   <- decay m + (1 - decay) ||g_0||^2
        s^2 <- decay s^2 + (1 - decay) (||g_0||^2 - m)^2
        c_t = (t / steps) last + (1 - t / steps) first

    The lower c_t is, the more steps climb. With several replicas, `||g_0||^2`
    is the mean of their squared norms. m and s are 0 at first.

    Args:
        steps: Int, at least 1, the iterations of the whole training.
        first: Float, c_t at the start of the training.
        last: Float, c_t at the end of the training.
        decay: Float in [0, 1).

    Reference: AE-SAM, arXiv:2304.14647. No code of the authors was found. The
    rule is from a secondary source; the defaults, and that m and s are 0 at
    first, are not confirmed.
    """

    steps: int
    first: float = 1.0
    last: float = -1.0
    decay: float = 0.9

    def __post_init__(self) -> None:
        _validation.integer("steps", self.steps, 1)
        _validation.number("first", self.first)
        _validation.number("last", self.last)
        _validation.fraction("decay", self.decay)

    def init(self, params: list) -> Any:
        return {"mean": ops.zeros(()), "variance": ops.zeros(())}

    def __call__(
        self, clean: Any, memory: Any, *, context: parts.Context
    ) -> tuple[Any, Any]:
        square = vectors.dot(clean.grads, clean.grads)
        square = context.average(ops.cast(square, memory["mean"].dtype))
        mean = self._average(memory["mean"], square)
        variance = self._average(memory["variance"], (square - mean) ** 2)
        progress = ops.minimum(
            ops.cast(context.iterations, square.dtype) / self.steps, 1.0
        )
        factor = progress * self.last + (1 - progress) * self.first
        climbs = square >= mean + factor * ops.sqrt(variance)
        return climbs, {"mean": mean, "variance": variance}

    def _average(self, old: Any, new: Any) -> Any:
        return self.decay * old + (1 - self.decay) * new


@exported
@dataclasses.dataclass(frozen=True)
class Reuse(parts.Cadence):
    """Each k-th step; the others reuse what the climb has added.

    A step that climbs descends with a gradient `g`, and remembers
    `v = g - <g, u> u` with `u = g_0 / ||g_0||`. The other steps descend with
    `g_0 + alpha ||g_0|| v / ||v||`.

    Args:
        k: Int, at least 1.
        alpha: Float, at least 0.

    Reference: LookSAM, arXiv:2203.02714, with norms over all variables. No code
    of the authors was found; some implementations take the norm of each
    variable on its own.
    """

    k: int = 5
    alpha: float = 0.7

    def __post_init__(self) -> None:
        _validation.integer("k", self.k, 1)
        _validation.number("alpha", self.alpha, 0.0)

    def init(self, params: list) -> Any:
        return vectors.scale(0.0, params)

    def __call__(
        self, clean: Any, memory: Any, *, context: parts.Context
    ) -> tuple[Any, Any]:
        del clean
        return context.iterations % self.k == 0, memory

    def rest(self, clean: Any, memory: Any) -> list:
        length = vectors.norm(clean.grads)
        added = vectors.scale(self.alpha, vectors.unit(memory))
        return vectors.add(clean.grads, vectors.scale(length, added))

    def learn(self, clean: Any, grads: list, memory: Any) -> Any:
        del memory
        return vectors.orthogonal(grads, clean.grads)
