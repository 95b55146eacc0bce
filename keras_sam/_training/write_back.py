"""Writes the outcome of a train step into the variables of a model."""

import keras
from keras import ops

from keras_sam._backend import rows
from keras_sam._backend import variables
from keras_sam._evaluation import evaluator as evaluators


def write_state(evaluator, state):
    """Assigns the state that a pass has returned.

    Args:
        evaluator: `evaluator.Evaluator` after the pass.
        state: List of tensors, a value for each of `evaluator.state`.
    """
    for variable, value in zip(evaluator.state, state, strict=True):
        if id(variable) in evaluator.updated:
            variable.assign(value)


def statistics(evaluator):
    """Returns the indices of the state that may be averaged over batches.

    They are the variables that the passes update, except metrics, seeds,
    counters and trainable weights.
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
    """Returns the pairs that `optimizer.apply_gradients` takes.

    Gradients are multiplied by the loss scale. A variable that the loss does
    not depend on has None, and so has one of integers: Keras warns of both.

    Args:
        evaluator: `evaluator.Evaluator` after the passes.
        grads: List of tensors, a gradient without loss scale for each of
            `evaluator.params`.
        overwrites: List of tensors, a value for each of
            `evaluator.overwritten`.
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
        *((None, v) for v in variables.without_gradient(evaluator.model)),
    ]


def _in_units_of_keras(evaluator, grad, shape):
    # TensorFlow forgets the shapes of tensors that a function returns. Without
    # shapes it adds up squares for a clip norm in another order than in plain
    # Keras. XLA would take `tf.ensure_shape` for a dynamic shape. (JAX has the
    # shapes.)
    sizes = [-1, *shape[1:]] if rows.sliced(grad) else shape

    def scaled(part):
        if not evaluator.once:
            part = ops.reshape(part, sizes)
        return part * evaluators.cast_as(evaluator.loss_scale, part)

    return rows.each(scaled, grad)
