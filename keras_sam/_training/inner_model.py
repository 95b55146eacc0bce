"""Which models can be wrapped."""

import keras
from keras import tree

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


def build(model, input_shape):
    """Creates the variables of a model from the shape of its input.

    Args:
        model: `keras.Model`.
        input_shape: Shape, or a nested structure of shapes.

    Raises:
        ValueError: If the model cannot be called on symbolic inputs.
    """
    inputs = tree.map_shape_structure(keras.KerasTensor, input_shape)
    try:
        model(inputs)
    except Exception as error:  # A model may raise errors of any type.
        raise ValueError(
            f"{model.name!r} (a {type(model).__name__}) cannot be built from "
            "shapes. Call the wrapper on a batch instead, which builds it: "
            f"sam(x[:1]). Received: input_shape={input_shape!r} ({error})"
        ) from error
