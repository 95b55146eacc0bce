"""Where a step of the climb points.

A direction is called with the gradients at the current point and the params of
that point, both lists of tensors of equal shapes over the perturbed variables,
and returns a step of the same shapes. The climb moves by the radius of a step
times this. `parts.py` says how a direction keeps a memory or asks for context.

A direction that is a number times the gradient may have that as a method
`factor(grads)`: the climb then multiplies gradients only once.
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
from keras_sam.directions._masked import DynamicMask
from keras_sam.directions._masked import FisherMask
from keras_sam.directions._masked import Sparse
from keras_sam.directions._random import Random
from keras_sam.directions._random import Smoothed
from keras_sam.directions._random import Subset

__all__ = [
    "Adaptive",
    "DynamicMask",
    "Eigen",
    "Fisher",
    "FisherMask",
    "Friendly",
    "Layerwise",
    "Normalized",
    "Random",
    "Smoothed",
    "Sparse",
    "Subset",
    "Unified",
    "Unnormalized",
    "VarianceSuppressed",
]
