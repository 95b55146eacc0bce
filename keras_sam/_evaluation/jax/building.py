"""Creates the variables of a model as the first step of plain `fit` does.

Keras creates variables where a model first uses them: in a call in training
mode, and in the loss. So `build` calls the model in training mode and computes
the loss, once, on shapes alone.
"""

import jax
import keras
from keras import tree

from keras_sam import _keras_internals
from keras_sam._evaluation.jax.scope import Scope


def build(model, data, training=True, optimizer=True, metrics=False):
    """Creates all variables of a compiled model, and of its loss.

    Args:
        model: `keras.Model`, compiled.
        data: A batch as `fit` takes it.
        training: Bool, whether the model is in training mode.
        optimizer: Bool, whether to build the optimizer, too.
        metrics: Bool, whether to build the metrics in any case.
    """
    data = keras.utils.unpack_x_y_sample_weight(data)
    if metrics or not _is_built(model, data):
        _call(model, data, training, metrics or optimizer)
    if optimizer and model.optimizer and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _is_built(model, data):
    _, y, _ = data
    # The loss of a single output has no variables.
    has_loss = not tree.is_nested(y) or _keras_internals.has_loss_built(model)
    return has_loss and all(
        layer.built for layer in _keras_internals.layers(model)
    )


def _call(model, data, training, metrics):
    """Calls a model, its loss and its metrics; drops all updates."""

    def called(x, y, sample_weight):
        with _Dropping():
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

    # New variables get their values at the end of the outer scope, where
    # nothing is traced.
    with keras.StatelessScope():
        jax.eval_shape(called, *data)


class _Dropping(Scope):
    """Drops all updates."""

    def __init__(self):
        super().__init__([])
        self._looks_up = False

    def get_current_value(self, variable):
        value = super().get_current_value(variable)
        # Regularizers ask the scope, and not the variable, for a value.
        if value is None and not self._looks_up:
            self._looks_up = True
            value = variable.value  # This asks the scope once more.
            self._looks_up = False
        return value
