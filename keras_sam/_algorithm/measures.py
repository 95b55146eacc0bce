"""What a climb meets, in numbers."""

import keras
from keras import ops

from keras_sam import vectors

NAMES = (
    "perturbed_loss",
    "sharpness",
    "gradient_norm",
    "perturbed_gradient_norm",
    "gradient_cosine",
)


def measured(loss, clean, last):
    """Returns what is to be known of a climb: a 1, and a number for each name.

    Args:
        loss: Scalar tensor, that at z_0.
        clean: `functional.Point` z_0.
        last: `functional.Point` z_n, or None where there is none.
    """
    if last is None:
        return nothing()
    norms = vectors.norm(clean.grads), vectors.norm(last.grads)
    cosine = ops.divide_no_nan(
        vectors.dot(clean.grads, last.grads), norms[0] * norms[1]
    )
    found = (1.0, last.loss, last.loss - loss, *norms, cosine)
    return ops.stack([ops.cast(x, keras.config.floatx()) for x in found])


def nothing():
    """Returns the same for a step that does not climb."""
    return ops.zeros(1 + len(NAMES), keras.config.floatx())
