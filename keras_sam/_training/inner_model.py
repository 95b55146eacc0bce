"""Which models can be wrapped."""

import keras

from keras_sam import _keras_internals

_METHODS = (
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
)


def check(model):
    """Checks that a model can be wrapped.

    Raises:
        TypeError: If the model is no `keras.Model`.
        ValueError: If the model overrides a method that the wrapper does not
            call.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {model!r}")
    for name in _METHODS:
        if not _keras_internals.is_of_keras(getattr(model, name)):
            raise ValueError(
                f"`model` must leave `{name}` to Keras: the wrapper would not "
                "call it. Override it in a subclass of "
                "SharpnessAwareMinimization. Received a "
                f"{type(model).__name__} that overrides it"
            )
