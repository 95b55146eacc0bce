"""Where a step of the climb points.

A direction is called with the gradients at the current point and the params of
that point, both lists of tensors of equal shapes over the perturbed variables,
and returns a step of the same shapes. The climb moves by the radius of a step
times this. `parts.py` says how a direction keeps a memory.
"""

import dataclasses
import math

import keras
from keras import ops

from keras_sam import vectors
from keras_sam.parts import Part


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Normalized(Part):
    """`g / ||g||`, the Euclidean norm over all perturbed variables.

    A zero gradient gives a zero step.

    Reference: SAM, arXiv:2010.01412, equation 2 (with p = 2).
    """

    def __call__(self, grads, params):
        del params
        return vectors.unit(grads)


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Unnormalized(Part):
    """`g`, the gradient itself: steps shrink where the loss is flat.

    Reference: USAM, arXiv:2206.06232.
    """

    def __call__(self, grads, params):
        del params
        return grads


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Adaptive(Part):
    """`T^2 g / ||T g||` with `T = |w| + eta`, element by element.

    The length of a step is one in the metric `||T^-1 step||`, hence usually far
    below one in the Euclidean norm: radii are about ten times those of
    `Normalized`. `w` is the current point of the climb. T acts on every
    perturbed variable. (The authors' code has T = 1 for biases; `perturb` can
    keep them from moving at all.)

    Args:
        eta: Float, at least 0. Keeps weights near zero movable.

    Raises:
        ValueError: If `eta` is negative or not finite.

    Reference: ASAM, arXiv:2102.11600, equation 3 (with p = 2).
    """

    eta: float = 0.01

    def __post_init__(self):
        if (
            isinstance(self.eta, bool)
            or not isinstance(self.eta, (int, float))
            or not 0 <= self.eta < math.inf
        ):
            raise ValueError(
                "`eta` must be a finite number, at least 0. "
                f"Received: {self.eta!r}"
            )

    def __call__(self, grads, params):
        metric = [ops.abs(w) + self.eta for w in params]
        scaled = vectors.unit(
            [t * g for t, g in zip(metric, grads, strict=True)]
        )
        return [t * g for t, g in zip(metric, scaled, strict=True)]


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Layerwise(Part):
    """`||w_l|| g_l / ||g_l||` for each variable l on its own.

    Every variable moves by the same fraction of its length. `w` is the current
    point of the climb; a variable that is zero stays zero.

    Reference: Look-LayerSAM, arXiv:2203.02714.
    """

    def __call__(self, grads, params):
        return [
            vectors.scale(vectors.norm([w]), vectors.unit([g]))[0]
            for g, w in zip(grads, params, strict=True)
        ]
