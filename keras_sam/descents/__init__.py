"""What the gradients of a climb become, to descend with.

A descent gets the clean point z_0 and the path, an iterator over the points
z_1, ..., z_n of the climb. A point has `params`, `loss` and `grads`. The climb
evaluates a point when the iterator reaches it. A descent returns a list of
tensors, the gradients of all trainable variables. Any callable will do, and a
subclass of `keras_sam.parts.Descent` may do more: keep a memory, ask for
context, or be saved with the model. Below, g_i is the gradient at z_i.

    def difference(clean, path):
        end = keras_sam.parts.last(clean, path)
        return keras_sam.vectors.subtract(end.grads, clean.grads)

    sam = keras_sam.SAM(model, descent=difference)

- take the gradient at the end of the climb: `Last` (SAM's), `Renormalized`
- add up the gradients of the climb: `Accumulated`, `Mean`, `Weighted`
- combine the clean gradient and the last: `Decoupled`, `Penalized`,
  `SurrogateGap`
- turn from the way climbed to the last gradient: `SearchedSlerp`, `Slerp`
- turn away from the top eigenvector of the Hessian: `EigenCorrected`
- weigh the ends of several climbs: `Tilted`
- take the outputs at the end of the climb, not the loss: `Functional`
- evaluate more gradients, off the climb: `CurvatureRegularized`,
  `FirstOrderFlatness`, `Mirrored`
"""

from keras_sam.descents._combinations import Accumulated
from keras_sam.descents._combinations import Decoupled
from keras_sam.descents._combinations import Last
from keras_sam.descents._combinations import Mean
from keras_sam.descents._combinations import Penalized
from keras_sam.descents._combinations import Renormalized
from keras_sam.descents._combinations import SurrogateGap
from keras_sam.descents._combinations import Weighted
from keras_sam.descents._eigenvector import EigenCorrected
from keras_sam.descents._extra_gradients import CurvatureRegularized
from keras_sam.descents._extra_gradients import FirstOrderFlatness
from keras_sam.descents._extra_gradients import Mirrored
from keras_sam.descents._functional import Functional
from keras_sam.descents._great_circle import SearchedSlerp
from keras_sam.descents._great_circle import Slerp
from keras_sam.descents._sampled import Tilted

__all__ = [
    "Accumulated",
    "CurvatureRegularized",
    "Decoupled",
    "EigenCorrected",
    "FirstOrderFlatness",
    "Functional",
    "Last",
    "Mean",
    "Mirrored",
    "Penalized",
    "Renormalized",
    "SearchedSlerp",
    "Slerp",
    "SurrogateGap",
    "Tilted",
    "Weighted",
]
