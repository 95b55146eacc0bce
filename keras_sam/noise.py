"""Random directions: noise on the filters of a network, and subsets."""

import dataclasses

import keras
from keras import ops

from keras_sam import fields
from keras_sam import vectors
from keras_sam.parts import Part


def filters(params, draws):
    """Returns normal noise, of standard deviation `||w_f||` for a filter f.

    A filter is what belongs to one index of the last axis, as in the kernels of
    Keras's Dense and Conv layers; a tensor of at most one axis is one filter.
    """
    noises = []
    for w in params:
        axes = tuple(range(len(w.shape) - 1)) or None
        square = vectors.wide(w) ** 2
        square = ops.sum(square, axis=axes, keepdims=axes is not None)
        length = ops.cast(ops.sqrt(square), w.dtype)
        noises.append(length * draws.normal(w.shape, w.dtype))
    return noises


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Random(Part):
    """Noise whose standard deviation is the length of the filter, `||w_f||`.

    It needs no gradient: `starts.Random` does the same at half the cost. With
    `descents.Penalized` it is the mixed form. See `noise.filters` for what a
    filter is.

    Args:
        seed: Int. Each of the optimizer's iterations draws anew, the same
            on all replicas.

    Reference: random weight perturbation (RWP), arXiv:2404.00357, as in the
    authors' code, where the mixed form's gradients are of two batches.
    """

    seed: int = 0

    def __post_init__(self):
        fields.integer("seed", self.seed, 0)

    def __call__(self, grads, params, *, context):
        del grads
        return filters(params, context.draws(self))


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Smoothed(Part):
    """`x + weight u`, normalized, with `u` the unit gradient at `w + x`.

    `x` is noise of standard deviation `sigma ||w_f||` for a filter f, see
    `noise.filters`. The gradient at `w + x` is one more evaluation.

    Args:
        sigma: Float, at least 0. 0 is `Normalized`.
        weight: Float, at least 0, of the gradient.
        seed: Int. Each of the optimizer's iterations draws anew, the same
            on all replicas.

    Reference: random SAM (R-SAM), OpenReview htUvh7xPoa. The rule could not be
    confirmed from a source.
    """

    sigma: float = 0.01
    weight: float = 1.0
    seed: int = 0

    def __post_init__(self):
        fields.number("sigma", self.sigma, 0.0)
        fields.number("weight", self.weight, 0.0)
        fields.integer("seed", self.seed, 0)

    def __call__(self, grads, params, *, context):
        del grads
        noise = vectors.scale(self.sigma, filters(params, context.draws(self)))
        there = context.gradient(vectors.add(params, noise))
        up = vectors.scale(self.weight, vectors.unit(there))
        return vectors.unit(vectors.add(noise, up))


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Subset(Part):
    """`g / (p ||g||)` on a random subset of the variables.

    Each variable moves with probability p; the norm is over those that move.

    Args:
        probability: Float, above 0, at most 1: p.
        seed: Int. Each of the optimizer's iterations draws anew, the same
            on all replicas.

    Reference: stochastic weight perturbation of ESAM, arXiv:2110.03141, as in
    the authors' code.
    """

    probability: float = 0.5
    seed: int = 0

    def __post_init__(self):
        fields.positive("probability", self.probability)
        fields.number("probability", self.probability, 0.0, 1.0)
        fields.integer("seed", self.seed, 0)

    def __call__(self, grads, params, *, context):
        del params
        moves = context.draws(self).uniform([len(grads)]) < self.probability
        chosen = [ops.where(moves[i], g, 0) for i, g in enumerate(grads)]
        return vectors.scale(1 / self.probability, vectors.unit(chosen))
