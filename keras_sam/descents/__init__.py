"""How the gradients met on the climb become the one to descend with.

A descent is called with the clean `functional.Point` and with the path, an
iterator over the points of the climb, of which it may use `params`, `loss` and
`grads`. A point is evaluated when the iterator reaches it, so a descent that
folds gradients as they come needs no more memory for more steps. It returns
gradients of all trainable variables, a list of tensors. One with an attribute
`decoupled = True` returns a pair of such lists, see `Decoupled`. `parts.py`
says how a descent keeps a memory or asks for context.

    g_0 = clean.grads,    g_n = grads of the last point
"""

from keras_sam.descents._combinations import Accumulated
from keras_sam.descents._combinations import Decoupled
from keras_sam.descents._combinations import Last
from keras_sam.descents._combinations import Mean
from keras_sam.descents._combinations import Penalized
from keras_sam.descents._combinations import Renormalized
from keras_sam.descents._combinations import SurrogateGap
from keras_sam.descents._combinations import Weighted
from keras_sam.descents._extra_gradients import CurvatureRegularized
from keras_sam.descents._extra_gradients import FirstOrderFlatness
from keras_sam.descents._great_circle import SearchedSlerp
from keras_sam.descents._great_circle import Slerp

__all__ = [
    "Accumulated",
    "CurvatureRegularized",
    "Decoupled",
    "FirstOrderFlatness",
    "Last",
    "Mean",
    "Penalized",
    "Renormalized",
    "SearchedSlerp",
    "Slerp",
    "SurrogateGap",
    "Weighted",
]
