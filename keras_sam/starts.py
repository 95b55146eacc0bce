"""Where the clean pass of a step is, if not at the weights.

A start is called with the perturbed weights, a list of tensors, and returns a
step of the same shapes: the clean pass is at `z_0 = w + rho * step`, and so are
its loss, metrics and batch statistics. It needs no gradient there, so with
`ascent_steps=0` a method that perturbs costs what plain training does. One that
has

    learn(grads, memory) -> memory

sees the gradient that the step descends with, of the perturbed variables.
`parts.py` says how a start keeps a memory or asks for context.
"""

import dataclasses

from keras_sam import _filters
from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Start

__all__ = ["Momentum", "Random", "Stale"]


@exported
@dataclasses.dataclass(frozen=True)
class Momentum(Start):
    """`-v / ||v||` with `v <- decay v + g`, g the gradient descended with.

    The momentum is the part's own, so any optimizer will do; with SGD of the
    same momentum and a constant learning rate it is that of the optimizer.

    Args:
        decay: Float in [0, 1).

    Reference: Momentum-SAM, arXiv:2401.12033; rule and default as in the
    authors' code, but for weight decay: docs/scope.md.
    """

    decay: float = 0.9

    def __post_init__(self):
        _validation.fraction("decay", self.decay)

    def init(self, params):
        return vectors.scale(0.0, params)

    def __call__(self, params, memory):
        return vectors.scale(-1.0, vectors.unit(memory)), memory

    def learn(self, grads, memory):
        return vectors.add(vectors.scale(self.decay, memory), grads)


@exported
@dataclasses.dataclass(frozen=True)
class Stale(Start):
    """`g / ||g||` with the gradient that the step before has descended with.

    Reference: the idea of arXiv:2503.11147 (AsyncSAM), in which the gradient
    is older where devices are slow.
    """

    def init(self, params):
        return vectors.scale(0.0, params)

    def __call__(self, params, memory):
        return vectors.unit(memory), memory

    def learn(self, grads, memory):
        del memory
        return grads


@exported
@dataclasses.dataclass(frozen=True)
class Random(Start):
    """Noise whose standard deviation is the length of the filter, `||w_f||`.

    See `noise.filters` for what a filter is.

    Args:
        seed: Int.

    Reference: random weight perturbation (RWP), arXiv:2404.00357, as in the
    authors' code.
    """

    seed: int = 0

    def __post_init__(self):
        _validation.integer("seed", self.seed, 0)

    def __call__(self, params, *, context):
        return _filters.noise(params, context.draws(self), context.filters())
