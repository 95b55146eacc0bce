"""How the gradients met on the climb become the one to descend with.

A descent is called with the clean `functional.Point` and with the path, an
iterator over the points of the climb. A point is evaluated when the iterator
reaches it, so a descent that folds gradients as they come needs no more memory
for more steps. It returns gradients of all trainable variables, a list of
tensors. `parts.py` says how a descent keeps a memory.
"""

import dataclasses

import keras

from keras_sam import vectors
from keras_sam.parts import Part


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Last(Part):
    """`g_n`, the gradient at the end of the climb.

    Reference: SAM, arXiv:2010.01412, equation 3; for several steps, the
    multi-step SAM that arXiv:2302.10181 studies.
    """

    def __call__(self, clean, path):
        last = clean
        for point in path:
            last = point
        return last.grads


@keras.saving.register_keras_serializable(package="keras_sam")
@dataclasses.dataclass(frozen=True)
class Mean(Part):
    """`(g_1 + ... + g_n) / n`, the mean over the climb without its start.

    To first order this is the gradient at distance `rho (n + 1) / (2 n)`
    instead of `rho`; `radius="matched"` makes the two equal.

    Reference: arXiv:2302.10181, whose abstract announces the modification;
    the rule is inferred from the authors' public code.
    """

    def __call__(self, clean, path):
        total, steps = None, 0
        for point in path:
            total = vectors.add(total, point.grads) if steps else point.grads
            steps += 1
        return vectors.scale(1 / steps, total)
