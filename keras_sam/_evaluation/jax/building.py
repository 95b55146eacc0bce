"""Creates the variables of a model as the first step of plain `fit` does.

Keras creates variables where a model first uses them: in a call in training
mode, and in the loss. So `build` calls the model in training mode and computes
the loss, once, on shapes alone.
"""

import jax
import keras

from keras_sam import _keras_internals
from keras_sam._evaluation import first_call
from keras_sam._evaluation.jax.scope import Scope


def is_built(model):
    """Whether all layers of a model have their variables, and their metrics.

    A metric may make its variables when it is first updated.
    """
    return all(
        layer.built
        and all(m.variables for m in _keras_internals.own_metrics(layer))
        for layer in _keras_internals.layers(model)
    )


def build(model, data, training=True, optimizer=True, metrics=False):
    """Creates all variables of a compiled model, and of its loss.

    Args:
        model: `keras.Model`, compiled.
        data: A batch as `fit` takes it.
        training: Bool, whether the model is in training mode.
        optimizer: Bool, whether to build the optimizer, too.
        metrics: Bool, whether to build the metrics in any case.
    """
    built = is_built(model) and first_call.is_built(model, data)
    if metrics or not built:
        _call(model, data, training, metrics or optimizer)
    if optimizer and model.optimizer and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _call(model, data, training, metrics):
    """Calls a model, its loss and its metrics; drops all updates."""

    def called(x, y, sample_weight):
        with _Dropping():
            first_call.call(model, x, y, sample_weight, training, metrics)

    # New variables get their values at the end of the outer scope, where
    # nothing is traced.
    with keras.StatelessScope():
        jax.eval_shape(called, *keras.utils.unpack_x_y_sample_weight(data))


class _Dropping(first_call.Values, Scope):
    """Drops all updates."""

    def __init__(self):
        super().__init__([])
