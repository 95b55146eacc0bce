"""Random directions: noise on filters, and random subsets of variables."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _filters
from keras_sam import _validation
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class Random(Direction):
    """Noise whose standard deviation is the length of the filter, or 1.

    A filter is the part of a kernel that makes one output, such as a column of
    the kernel of `Dense`. A bias, or another tensor without filters, counts as
    one filter. See `Context.filters`. With `scaled=False` the standard
    deviation of all noise is 1, so it is rho once the climb has stepped.

    This direction ignores the gradient: `starts.Random` does the same at half
    the cost. With `descents.Penalized` it is the mixed form of the method.

    Args:
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.
        scaled: Bool, whether the standard deviation is the length of the
            filter, `||w_f||`.

    Reference: random weight perturbation (RWP), arXiv:2404.00357, as in the
    authors' code, where the mixed form takes its two gradients on two batches;
    without a scale, noise stability optimization (NSO), arXiv:2306.08553.
    """

    seed: int = 0
    scaled: bool = True
    loops = True

    def __post_init__(self) -> None:
        _validation.integer("seed", self.seed, 0)
        _validation.choice("scaled", self.scaled, (True, False))

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del grads
        draws = context.draws(self)
        if not self.scaled:
            return [draws.normal(w.shape, w.dtype) for w in params]
        return _filters.noise(params, draws, context.filters())


@exported
@dataclasses.dataclass(frozen=True)
class AdaptiveRandom(Direction):
    """Noise of standard deviation `||w_f|| / sqrt(1 + eta F_f)` on filter f.

    `F <- decay F + g^2`, g the gradient at the end of the climb, is a running
    diagonal of the Fisher information. `starts.AdaptiveRandom` says how it
    enters, and does the same at half the cost. With `descents.Penalized` this
    direction is the mixed form of the method.

    Args:
        eta: Float, at least 0. 0 is `Random`, up to the draws.
        decay: Float in [0, 1).
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.

    Reference: mixed adaptive random weight perturbation (m-ARWP),
    arXiv:2404.00357; rule as in the authors' code (nblt/mARWP,
    `train_marwp.py`), where the mixed form takes its two gradients on two
    batches; defaults as in the script there (`scripts/run_mrwp.sh`).
    """

    eta: float = 0.1
    decay: float = 0.99
    seed: int = 0
    loops = True

    def __post_init__(self) -> None:
        _validation.number("eta", self.eta, 0.0)
        _validation.fraction("decay", self.decay)
        _validation.integer("seed", self.seed, 0)

    def init(self, params: list) -> Any:
        return vectors.scale(0.0, params)

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        del grads
        draws, filters = context.draws(self), context.filters()
        noise = _filters.noise(params, draws, filters)
        return _filters.weighed(noise, self.eta, memory, filters), memory

    def learn(self, grads: list, memory: Any) -> Any:
        squares = [g * g for g in grads]
        return vectors.add(vectors.scale(self.decay, memory), squares)


@exported
@dataclasses.dataclass(frozen=True)
class Smoothed(Direction):
    """`x + weight g`, normalized, with g the gradient at `w + x`.

    `x` is noise whose standard deviation is `sigma ||w_f||` on each filter f.
    `Random` says what a filter is. The gradient at `w + x` costs one more
    evaluation. It keeps its length, so a loss of another scale is another
    method. With one ascent step nothing needs the clean gradient. A step that
    XLA compiles leaves it out, and goes three times forward and twice backward.

    Args:
        sigma: Float, at least 0. 0 is `Normalized`.
        weight: Float, at least 0, the weight of the gradient.
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.

    Reference: random SAM (R-SAM), OpenReview htUvh7xPoa, as in the authors'
    code (RSAM-Optimizer/R-SAM, vit_jax/train.py), which has no pass at w, and
    where sigma grows from 0.0005 to 0.0025 along half a cosine.
    """

    sigma: float = 0.0025
    weight: float = 2.0
    seed: int = 0
    loops = True

    def __post_init__(self) -> None:
        _validation.number("sigma", self.sigma, 0.0)
        _validation.number("weight", self.weight, 0.0)
        _validation.integer("seed", self.seed, 0)

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del grads
        noise = vectors.scale(
            self.sigma,
            _filters.noise(params, context.draws(self), context.filters()),
        )
        gradient = context.gradient(vectors.add(params, noise))
        up = vectors.scale(self.weight, gradient)
        return vectors.unit(vectors.add(noise, up))


@exported
@dataclasses.dataclass(frozen=True)
class NoiseFirst(Direction):
    """`length x / ||x||` in the first step of a climb, then `g / ||g||`.

    x is normal in all directions, so the first step leads to a random point of
    a sphere around w. The other steps climb from there.

    Args:
        length: Float, above 0: the length of the first step in units of the
            other ones. With `radius="full"` it is the distance over rho.
        seed: Int, at least 0. Each of the optimizer's iterations draws other
            noise, the same on all replicas.

    Reference: the samples of tilted SAM (TSAM), arXiv:2410.22656, as in the
    authors' code (litian96/TSAM, `tsam.py`). There noise that is shorter than
    the radius stays as it is, which at the scale 1 it hardly ever is.
    """

    length: float = 20.0
    seed: int = 0
    loops = True

    def __post_init__(self) -> None:
        _validation.positive("length", self.length)
        _validation.integer("seed", self.seed, 0)

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        return control_flow.cond(
            context.ascent_step == 0,
            lambda: self._noise(params, context),
            lambda: vectors.unit(grads),
        )

    def _noise(self, params: list, context: Context) -> list:
        draws = context.draws(self)
        noise = [draws.normal(w.shape, w.dtype) for w in params]
        return vectors.scale(self.length, vectors.unit(noise))


@exported
@dataclasses.dataclass(frozen=True)
class Subset(Direction):
    """`g / (p ||g||)` on a random subset of the variables.

    Each variable moves with probability p. The norm is over the variables that
    move.

    Args:
        probability: Float, above 0, at most 1: p.
        seed: Int, at least 0. Each of the optimizer's iterations draws another
            subset, the same on all replicas.

    Reference: stochastic weight perturbation of ESAM, arXiv:2110.03141, as in
    the authors' code.
    """

    probability: float = 0.5
    seed: int = 0
    loops = True

    def __post_init__(self) -> None:
        _validation.positive("probability", self.probability)
        _validation.number("probability", self.probability, 0.0, 1.0)
        _validation.integer("seed", self.seed, 0)

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del params
        moves = context.draws(self).uniform([len(grads)]) < self.probability
        subset = [ops.where(moves[i], g, 0) for i, g in enumerate(grads)]
        return vectors.scale(1 / self.probability, vectors.unit(subset))
