"""What a train step leaves in the variables of a model."""

import keras
import tensorflow as tf

from keras_sam._backend import evaluator as evaluators
from keras_sam._backend import rows


def write_state(evaluator, state):
    """Assigns what a pass has made of the state.

    Args:
        evaluator: `evaluator.Evaluator` after the pass.
        state: List of tensors, a value for each variable of its state.
    """
    for variable, value in zip(evaluator.state, state, strict=True):
        if id(variable) in evaluator.updated:
            variable.assign(value)


def statistics(evaluator):
    """Returns the indices of the state that may be averaged over batches.

    That is what the passes have changed, but for metrics, seeds and counters.
    """
    return [
        i
        for i, variable in enumerate(evaluator.state)
        if id(variable) in evaluator.updated
        and keras.backend.is_float_dtype(variable.dtype)
        and not variable.trainable
        and variable.synchronization != "on_read"
    ]


def grads_and_variables(evaluator, grads, overwrites):
    """Returns what `optimizer.apply_gradients` takes, with loss scale.

    Args:
        evaluator: `evaluator.Evaluator` after the passes.
        grads: List of tensors, a true gradient for each of its `params`.
        overwrites: List of tensors, a value for each of its `overwritten`.
    """
    grads = [
        _in_units_of_keras(evaluator, grad, variable.shape)
        if connected
        else None
        for grad, variable, connected in zip(
            grads, evaluator.params, evaluator.connected, strict=True
        )
    ]
    return [
        *zip(grads, evaluator.params, strict=True),
        *zip(overwrites, evaluator.overwritten, strict=True),
    ]


def _in_units_of_keras(evaluator, grad, shape):
    # TensorFlow forgets the shapes of what a function returns. It then adds up
    # squares for a clip norm in another order than for Keras. XLA would take
    # `tf.ensure_shape` for a dynamic shape.
    sizes = [-1, *shape[1:]] if rows.sliced(grad) else shape

    def scaled(part):
        if not evaluator.once:
            part = tf.reshape(part, sizes)
        return part * evaluators.cast_as(evaluator.loss_scale, part)

    return rows.each(scaled, grad)
