"""The losses of `--loss`, and whether they fit what a network returns."""

import inspect
from typing import Any

import keras
import numpy as np

_MISSING = "Add --from_logits if the model has no softmax or sigmoid at its end"
_TOO_MUCH = "Leave out --from_logits: the model has a softmax at its end"


def get(name: str, from_logits: bool) -> Any:
    """Returns a loss of Keras.

    Args:
        name: String, of a function or of a class.
        from_logits: Bool.

    Raises:
        ValueError: If there is no such loss, or if it takes no logits.
    """
    loss = keras.losses.get(name)
    if not from_logits:
        return loss
    if not _takes_logits(loss):
        raise ValueError(
            "--from_logits is for cross entropies, and --loss is none. "
            f"Received: --loss={name}"
        )
    if isinstance(loss, keras.losses.Loss):
        return type(loss)(from_logits=True)
    return lambda y, y_pred: loss(y, y_pred, from_logits=True)


def check(name: str, from_logits: bool, outputs: Any) -> None:
    """Raises an error if the outputs cannot be what the loss takes them for.

    A cross entropy takes numbers outside [0, 1] for probabilities, and says
    nothing: its value is then wrong.

    Args:
        name: String, of a loss of Keras.
        from_logits: Bool, whether the loss takes the outputs for logits.
        outputs: Arrays of the outputs for some examples, any structure.

    Raises:
        ValueError: If the loss takes logits for probabilities, or the reverse.
    """
    if not _takes_logits(keras.losses.get(name)):
        return
    of_classes = "categorical" in name.lower()
    if from_logits and not of_classes:
        return  # A single logit may be within [0, 1].
    for each in keras.tree.flatten(outputs):
        values = np.asarray(each, "float64")
        if not np.all(np.isfinite(values)):
            continue  # The loss is not finite, either, and that is an error.
        fits = bool(np.all((values >= 0) & (values <= 1)))
        if of_classes:  # A sum of many float16 is off by this much.
            fits &= np.allclose(values.sum(-1), 1, atol=0.01)
        if fits == from_logits:
            raise ValueError(
                f"{_TOO_MUCH if from_logits else _MISSING}. Received: outputs "
                f"from {values.min():.3g} to {values.max():.3g}, which --loss="
                f"{name} takes for "
                f"{'logits' if from_logits else 'probabilities'}"
            )


def _takes_logits(loss: Any) -> bool:
    made = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    return "from_logits" in inspect.signature(made).parameters
