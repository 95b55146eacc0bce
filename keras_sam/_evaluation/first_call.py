"""The first call of a model, which creates its variables."""

import keras
from keras import tree

from keras_sam import _keras_internals


def is_built(model, data):
    """Whether a compiled model and its loss have all their variables.

    Args:
        model: `keras.Model`, compiled.
        data: A batch as `fit` takes it.
    """
    _, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    # The loss of a single output has no variables.
    has_loss = not tree.is_nested(y) or _keras_internals.has_loss_built(model)
    return has_loss and all(
        layer.built for layer in _keras_internals.layers(model)
    )


def call(model, x, y, sample_weight, training, metrics):
    """Calls a model and its loss, and its metrics if they are asked for."""
    y_pred = model(x, training=training)
    _keras_internals.compute_loss(
        model,
        x=x,
        y=y,
        y_pred=y_pred,
        sample_weight=sample_weight,
        training=training,
    )
    if metrics:
        model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


class Values(keras.StatelessScope):
    """A scope that says the value of a variable which has no entry in it.

    Regularizers ask the scope, and not the variable, for a value.
    """

    _looks_up = False

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        if value is None and not self._looks_up:
            self._looks_up = True
            value = variable.value  # This asks the scope once more.
            self._looks_up = False
        return value
