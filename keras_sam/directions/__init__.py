"""Where a step of the climb points.

A direction gets the gradient at the present point of the climb, and the params
of that point: two lists of tensors, for the perturbed variables. It returns a
step of the same shapes. The climb moves by the radius of a step times the step.
Any callable will do, and a subclass of `keras_sam.parts.Direction` may do more:
keep a memory, ask for context, or be saved with the model.

    def signs(grads, params):
        return [keras.ops.sign(g) for g in grads]

    sam = keras_sam.SAM(model, rho=0.001, direction=signs)

- rescale the gradient: `Normalized` (SAM's), `Unnormalized`, `Unified`,
  `Matching`, `LossEquated`
- measure lengths in another metric: `Adaptive`, `Fisher`, `Layerwise`
- remember an average of gradients: `Friendly`, `VarianceSuppressed`
- draw noise, or the variables that move: `AdaptiveRandom`, `NoiseFirst`,
  `Random`, `Smoothed`, `Subset`
- move only the weights of a mask: `Sparse`, with `FisherMask` or `DynamicMask`
- move mostly the weights whose gradients stand out: `ZScored`
- lean towards the top eigenvector of the Hessian: `Eigen`
- climb on another loss: `LowerBound`
"""

from keras_sam.directions._averaged import Friendly
from keras_sam.directions._averaged import VarianceSuppressed
from keras_sam.directions._eigenvector import Eigen
from keras_sam.directions._gradient import Adaptive
from keras_sam.directions._gradient import Fisher
from keras_sam.directions._gradient import Layerwise
from keras_sam.directions._gradient import Normalized
from keras_sam.directions._gradient import Unified
from keras_sam.directions._gradient import Unnormalized
from keras_sam.directions._gradient_length import LossEquated
from keras_sam.directions._gradient_length import Matching
from keras_sam.directions._masked import DynamicMask
from keras_sam.directions._masked import FisherMask
from keras_sam.directions._masked import Sparse
from keras_sam.directions._other_loss import LowerBound
from keras_sam.directions._outlying import ZScored
from keras_sam.directions._random import AdaptiveRandom
from keras_sam.directions._random import NoiseFirst
from keras_sam.directions._random import Random
from keras_sam.directions._random import Smoothed
from keras_sam.directions._random import Subset

__all__ = [
    "Adaptive",
    "AdaptiveRandom",
    "DynamicMask",
    "Eigen",
    "Fisher",
    "FisherMask",
    "Friendly",
    "Layerwise",
    "LossEquated",
    "Matching",
    "LowerBound",
    "NoiseFirst",
    "Normalized",
    "Random",
    "Smoothed",
    "Sparse",
    "Subset",
    "Unified",
    "Unnormalized",
    "VarianceSuppressed",
    "ZScored",
]
