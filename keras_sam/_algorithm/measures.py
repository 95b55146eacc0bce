"""The measurements of a climb, one for each of `NAMES`."""

import keras
from keras import ops

from keras_sam import vectors
from keras_sam._backend import control_flow

NAMES = (
    "perturbed_loss",
    "sharpness",
    "gradient_norm",
    "perturbed_gradient_norm",
    "gradient_cosine",
)


def measured(every, iterations, clean, last):
    """Returns the measurements of a step that climbs, or zeros if none are due.

    Measurements need inner products over all weights, which take time. So a
    user may choose to measure in few steps.

    Args:
        every: Bool or int, `track` of the wrapper. True measures in every step,
            k in every k-th step, and False or 0 in none.
        iterations: Scalar int tensor, the number of the train step.
        clean: `Point` z_0.
        last: `Point` z_n, or None if the climb reached no point.

    Returns:
        List of one tensor: a 1 and a number for each of `NAMES`, or zeros.
        The list is empty if `every` is False or 0.
    """
    if not every:
        return []
    now = every == 1 or iterations % every == 0
    return [control_flow.cond(now, lambda: of_climb(clean, last), nothing)]


def unmeasured(every):
    """Returns the measurements of a step that does not climb: zeros."""
    return [nothing()] if every else []


def of_climb(clean, last):
    """Returns a tensor of a 1 and a number for each of `NAMES`, for one climb.

    It returns zeros if the climb reached no point.
    """
    if last is None:
        return nothing()
    norms = vectors.norm(clean.grads), vectors.norm(last.grads)
    cosine = ops.divide_no_nan(
        vectors.dot(clean.grads, last.grads), norms[0] * norms[1]
    )
    # Losses of this replica, like all metrics.
    rise = last.own_loss - clean.own_loss
    numbers = (1.0, last.own_loss, rise, *norms, cosine)
    return ops.stack([ops.cast(x, keras.config.floatx()) for x in numbers])


def nothing():
    """Returns the zeros of a step without measurements."""
    return ops.zeros(1 + len(NAMES), keras.config.floatx())
