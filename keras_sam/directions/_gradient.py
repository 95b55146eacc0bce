"""Directions made of the gradient at the present point alone."""

import dataclasses

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class Normalized(Direction):
    """`g / ||g||`, the Euclidean norm over all perturbed variables.

    A zero gradient gives a zero step.

    Reference: SAM, arXiv:2010.01412, equation 2 (with p = 2), as in the
    authors' code.
    """

    takes_slices = True

    def factor(self, grads):
        return vectors.reciprocal(vectors.norm(grads))

    def __call__(self, grads, params):
        del params
        return vectors.scale(self.factor(grads), grads)


@exported
@dataclasses.dataclass(frozen=True)
class Unnormalized(Direction):
    """`g`, the gradient itself: steps shrink where the loss is flat.

    Reference: USAM, arXiv:2206.06232, as in the authors' code.
    """

    takes_slices = True

    def __call__(self, grads, params):
        del params
        return grads


@exported
@dataclasses.dataclass(frozen=True)
class Unified(Direction):
    """`(1 - share + share / ||g||) g`, between `Unnormalized` and `Normalized`.

    Args:
        share: Float in [0, 1], or a schedule of the optimizer's iterations: 1
            is `Normalized`.

    Reference: unified SAM, arXiv:2503.02225, where it is called lambda, as in
    the authors' code.
    """

    share: float = 0.5
    takes_slices = True

    def __post_init__(self):
        _validation.scheduled("share", self.share, 0.0, 1.0)

    def __call__(self, grads, params, *, context):
        del params
        share = context.value(self.share)
        return vectors.add(
            vectors.scale(1 - share, grads),
            vectors.scale(share, vectors.unit(grads)),
        )


@exported
@dataclasses.dataclass(frozen=True)
class Adaptive(Direction):
    """`T^2 g / ||T g||` with `T = |w| + eta`, element by element.

    The length of a step is one in the metric `||T^-1 step||`, hence usually far
    below one in the Euclidean norm: radii are about ten times those of
    `Normalized`. `w` is the current point of the climb. T acts on every
    perturbed variable. (The authors' code has T = 1 for biases; `perturb` can
    keep them from moving at all.)

    Args:
        eta: Float, at least 0. Keeps weights near zero movable.

    Raises:
        TypeError: If `eta` is not a number.
        ValueError: If `eta` is negative or not finite.

    Reference: ASAM, arXiv:2102.11600, equation 3 (with p = 2), as in the
    authors' code but for biases.
    """

    eta: float = 0.01

    def __post_init__(self):
        _validation.number("eta", self.eta, 0.0)

    def __call__(self, grads, params):
        metric = [ops.abs(w) + self.eta for w in params]
        scaled = vectors.unit(
            [t * g for t, g in zip(metric, grads, strict=True)]
        )
        return [t * g for t, g in zip(metric, scaled, strict=True)]


@exported
@dataclasses.dataclass(frozen=True)
class Layerwise(Direction):
    """`||w_l|| g_l / ||g_l||` for each variable l on its own.

    Every variable moves by the same fraction of its length. `w` is the current
    point of the climb; a variable that is zero stays zero.

    Reference: Look-LayerSAM, arXiv:2203.02714, of which no code of the authors
    was found; the rule of AWP, arXiv:2004.05884, as in the authors' code.
    """

    def __call__(self, grads, params):
        return [
            vectors.scale(vectors.norm([w]), vectors.unit([g]))[0]
            for g, w in zip(grads, params, strict=True)
        ]


@exported
@dataclasses.dataclass(frozen=True)
class Fisher(Direction):
    """`F^-1 g / sqrt(g F^-1 g)` with `F = 1 + eta g^2`, element by element.

    The length of a step is one in the metric of F, the diagonal of an
    empirical Fisher information; in the Euclidean norm it is at most one.

    Args:
        eta: Float, at least 0. 0 is `Normalized`.

    Reference: Fisher SAM, arXiv:2206.04920. No code of the authors was found;
    public implementations differ.
    """

    eta: float = 1.0

    def __post_init__(self):
        _validation.number("eta", self.eta, 0.0)

    def __call__(self, grads, params):
        del params
        scaled = [g / (1 + self.eta * g * g) for g in grads]
        length = ops.sqrt(vectors.dot(grads, scaled))
        return vectors.scale(vectors.reciprocal(length), scaled)
