"""The gradient of the loss with respect to the outputs of a model."""

import keras
from keras import ops
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import batches
from keras_sam._backend import differentiation
from keras_sam._backend import replicas
from keras_sam._evaluation import compiled_losses
from keras_sam._evaluation import linearized

_HALF = ("float16", "bfloat16")


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
    if not all(map(batches.is_dense, tree.flatten(y_pred))):
        raise linearized.not_dense(y_pred)
    model, scale = evaluator.model, evaluator.loss_scale
    given = list(zip(evaluator.params, params, strict=True))
    flat = tree.flatten(y_pred)
    floats = [t for t in flat if _is_float(t)]

    def replaced(values):
        """Returns all outputs, with values in the place of floats."""
        rest = iter(values)
        return [next(rest) if _is_float(t) else t for t in flat]

    def scaled(*floats):
        outputs = tree.pack_sequence_as(y_pred, replaced(floats))
        tree.map_structure(_keras_internals.copy_mask, y_pred, outputs)
        with compiled_losses.aside(model, given):
            if loss is None:
                value = compiled_losses.compute(model, batch, outputs)
                # Keras divides losses by the number of replicas.
                value = value * ops.cast(replicas.count(), value.dtype)
            else:
                value = _scalar(loss(batch.y, outputs))
        return value * ops.cast(scale, value.dtype)

    _, grads = differentiation.gradients(scaled, floats)

    def unscaled(output, grad):
        if grad is None or grad is output:  # An output that is not float.
            return None
        if keras.backend.standardize_dtype(grad.dtype) in _HALF:
            grad = ops.cast(grad, "float32")
        return grad / ops.cast(scale, grad.dtype)

    pairs = zip(flat, replaced(grads), strict=True)
    return tree.pack_sequence_as(y_pred, [unscaled(*pair) for pair in pairs])


def _is_float(tensor):
    return keras.backend.is_float_dtype(tensor.dtype)


def _scalar(value):
    if tuple(value.shape):
        raise ValueError(
            "`loss` must return one number for all examples, such as their "
            f"mean. Received: a tensor of shape {tuple(value.shape)}"
        )
    return value
