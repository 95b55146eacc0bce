"""Where the clean pass of a train step is, if not at the weights.

A start gets the perturbed weights, a list of tensors, and returns a step of the
same shapes. The clean pass is at `z_0 = w + rho * step`: so are the loss,
metrics and batch statistics. A start needs no gradient, so with
`ascent_steps=0` a method with one costs what plain training costs. Any callable
will do, and a subclass of `keras_sam.parts.Start` may do more: keep a memory,
learn from the gradient of each train step, ask for context, or be saved with
the model.

    def smaller(params):
        return [-w for w in params]

    sam = keras_sam.SAM(model, rho=0.01, ascent_steps=0, start=smaller)

- step along earlier gradients: `Momentum`, `Stale`
- step at random: `Random`, `AdaptiveRandom`
"""

import dataclasses
from typing import Any

from keras_sam import _filters
from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported

__all__ = ["AdaptiveRandom", "Momentum", "Random", "Stale"]


@exported
@dataclasses.dataclass(frozen=True)
class Momentum(parts.Start):
    """`-v / ||v||` with `v <- decay v + g`, g the gradient descended with.

    This part keeps a momentum of its own, so any optimizer will do. With SGD of
    the same momentum and a constant learning rate, it is the momentum of the
    optimizer.

    Args:
        decay: Float in [0, 1).

    Reference: Momentum-SAM, arXiv:2401.12033; rule and default as in the
    authors' code, but for weight decay, see docs/scope.md.
    """

    decay: float = 0.9

    def __post_init__(self) -> None:
        _validation.fraction("decay", self.decay)

    def init(self, params: list) -> Any:
        return vectors.scale(0.0, params)

    def __call__(self, params: list, memory: Any) -> tuple[list, Any]:
        return vectors.scale(-1.0, vectors.unit(memory)), memory

    def learn(self, grads: list, memory: Any) -> Any:
        return vectors.add(vectors.scale(self.decay, memory), grads)


@exported
@dataclasses.dataclass(frozen=True)
class Stale(parts.Start):
    """`g / ||g||` with the gradient that the step before has descended with.

    Reference: the idea of AsyncSAM, arXiv:2503.11147, as in a secondary source
    (junaidaliop/zij). In AsyncSAM the gradient is older where devices are slow.
    """

    def init(self, params: list) -> Any:
        return vectors.scale(0.0, params)

    def __call__(self, params: list, memory: Any) -> tuple[list, Any]:
        return vectors.unit(memory), memory

    def learn(self, grads: list, memory: Any) -> Any:
        del memory
        return grads


@exported
@dataclasses.dataclass(frozen=True)
class Random(parts.Start):
    """Noise whose standard deviation is the length of the filter, `||w_f||`.

    A filter is the part of a kernel that makes one output, such as a column of
    the kernel of `Dense`. A bias, or another tensor without filters, counts as
    one filter. See `Context.filters`.

    Args:
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.

    Reference: random weight perturbation (RWP), arXiv:2404.00357, as in the
    authors' code.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        _validation.integer("seed", self.seed, 0)

    def __call__(self, params: list, *, context: parts.Context) -> list:
        return _filters.noise(params, context.draws(self), context.filters())


@exported
@dataclasses.dataclass(frozen=True)
class AdaptiveRandom(parts.Start):
    """Noise of standard deviation `||w_f|| / sqrt(1 + eta F_f)` on filter f.

    `F <- decay F + g^2`, g the gradient descended with, is a running diagonal
    of the Fisher information, at first 0. `F_f` is the sum of F over the filter
    f. `Random` says what a filter is. In a bias, or another tensor without
    filters, each weight has its own F. Several replicas, and the parts of a
    batch, each take the squares of their own gradient, and F is the mean.

    With `rho=keras.optimizers.schedules.CosineDecay(0.001, steps, alpha=11.0)`
    the noise grows from 0.001 to 0.011 along half a cosine, as in the script of
    the authors. F is not invariant to the scale of the loss.

    Args:
        eta: Float, at least 0. 0 is `Random`, up to the draws.
        decay: Float in [0, 1).
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.

    Reference: adaptive random weight perturbation (ARWP), arXiv:2404.00357;
    rule as in the authors' code (nblt/mARWP, `utils.py`), defaults as in the
    script there (`scripts/run_rwp.sh`). The class there has eta 1, decay 0.9.
    """

    eta: float = 0.1
    decay: float = 0.99
    seed: int = 0

    def __post_init__(self) -> None:
        _validation.number("eta", self.eta, 0.0)
        _validation.fraction("decay", self.decay)
        _validation.integer("seed", self.seed, 0)

    def init(self, params: list) -> Any:
        return vectors.scale(0.0, params)

    def __call__(
        self, params: list, memory: Any, *, context: parts.Context
    ) -> tuple[list, Any]:
        draws, filters = context.draws(self), context.filters()
        noise = _filters.noise(params, draws, filters)
        return _filters.weighed(noise, self.eta, memory, filters), memory

    def learn(self, grads: list, memory: Any) -> Any:
        squares = [g * g for g in grads]
        return vectors.add(vectors.scale(self.decay, memory), squares)
