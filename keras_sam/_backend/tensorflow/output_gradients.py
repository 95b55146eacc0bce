"""The gradient of the loss with respect to the outputs of a model."""

import tensorflow as tf
from keras import tree

from keras_sam._backend.tensorflow import compiled_losses
from keras_sam._backend.tensorflow import linearized
from keras_sam._backend.tensorflow import replicas


def of_loss(evaluator, params, y_pred, batch, loss=None):
    """Returns the gradient of the loss with respect to the outputs.

    The model is not called. The loss scale keeps small elements above zero.

    Args:
        evaluator: `evaluator.Evaluator`.
        params: List of tensors, a value for each of `evaluator.params`. An
            override of `compute_loss` may read them.
        y_pred: The outputs of the model at params, any structure.
        batch: `Batch`.
        loss: Function of the targets and the outputs, to take the place of the
            loss of the model; or None.

    Returns:
        Structure of `y_pred`: a tensor of at least float32, or None for an
        output that is not float, or that the loss does not depend on.

    Raises:
        ValueError: If an output is ragged or sparse, `loss` returns no scalar,
            or the loss may take the logits of an output in place of the output.
    """
    if loss is None and evaluator.hides_logits:
        raise ValueError(
            "Gradients of outputs need a model that ends in logits. Its loss "
            "would take the logits before a softmax or sigmoid, which are no "
            "output. Leave the activation out, and pass `from_logits=True` to "
            "the loss. Received a model with that activation at its end: "
            f"{evaluator.model.name!r}"
        )
    model, scale = evaluator.model, evaluator.loss_scale
    given = zip(evaluator.params, params, strict=True)
    with tf.GradientTape() as tape, compiled_losses.aside(model, given):
        # A model may return a tensor twice. These are two tensors.
        outputs = linearized.copies(y_pred, tf.identity)
        floats = [t for t in tree.flatten(outputs) if t.dtype.is_floating]
        tape.watch(floats)
        if loss is None:
            value = compiled_losses.compute(model, batch, outputs)
            # Keras divides losses by the number of replicas.
            value = value * tf.cast(replicas.count(), value.dtype)
        else:
            value = _scalar(loss(batch.y, outputs))
        value = value * tf.cast(scale, value.dtype)
    found = zip(floats, tape.gradient(value, floats), strict=True)
    grads = {id(output): grad for output, grad in found}

    def unscaled(output):
        grad = grads.get(id(output))
        if grad is None:
            return None
        if grad.dtype in (tf.float16, tf.bfloat16):
            grad = tf.cast(grad, "float32")
        return grad / tf.cast(scale, grad.dtype)

    return tree.map_structure(unscaled, outputs)


def _scalar(value):
    if tuple(value.shape):
        raise ValueError(
            "`loss` must return one number for all examples, such as their "
            f"mean. Received: a tensor of shape {tuple(value.shape)}"
        )
    return value
