"""The loss of each example of a batch."""

import keras
from keras import ops
from keras import tree

from keras_sam._backend import batches
from keras_sam._backend import differentiation
from keras_sam._backend import replicas
from keras_sam._evaluation import compiled_losses


def of_examples(model, y_pred, batch):
    """Returns the loss of each example.

    The mean of these losses is the loss of the batch, without regularizers and
    without losses that layers add. An example with several values of a loss,
    such as a sequence, has their sum, times the batch size, over what the loss
    divides by. A value that a loss returns for an example is the example's own,
    even if it depends on other examples.

    An override of `compute_loss` may use the compiled losses, or
    `sample_weight` in their place.

    Args:
        model: `keras.Model`, compiled.
        y_pred: The outputs of the model.
        batch: `Batch`.

    Raises:
        ValueError: If the loss of the batch is no sum over examples.
    """
    # The loss is linear in the weights; the coefficients are the losses.
    double = keras.config.floatx() == "float64"
    size = batches.size(batch)
    weights = ops.ones([size], "float64" if double else "float32")
    outputs, packed = batches.dense_parts(y_pred)

    def loss(weights, *outputs):
        with compiled_losses.aside(model):
            return compiled_losses.compute(
                model, batch, packed(outputs), weights=weights
            )

    # The weighted losses stop the gradients of outputs. Other terms do not.
    _, (losses, *others) = differentiation.gradients(loss, [weights, *outputs])
    if losses is None:
        losses = _by_sample_weight(model, y_pred, batch, weights)
    elif any(grad is not None for grad in others):
        raise _error(model, "adds other terms of the outputs to them")
    return losses * ops.cast(
        batches.size(batch) * replicas.count(), losses.dtype
    )


def _by_sample_weight(model, y_pred, batch, weights):
    """Returns derivatives by sample weights; the compiled losses are not used.

    Raises:
        ValueError: If `compute_loss` uses no sample weights either, or if the
            shape of the sample weights cannot be known.
    """
    given = batch.sample_weight
    if given is None and any(len(t.shape) > 2 for t in tree.flatten(y_pred)):
        raise _error(
            model,
            "uses none of them. Then outputs of rank 3 or more need sample "
            "weights in `fit`, which tell their shape",
        )

    def loss(weights):
        def weighted(tensor):
            if tensor is None:
                return None
            axes = [1] * (len(tensor.shape) - 1)
            of_rank = ops.reshape(weights, [-1, *axes])
            return ops.cast(tensor, weights.dtype) * of_rank

        product = (
            weights if given is None else tree.map_structure(weighted, given)
        )
        weighted_batch = batch._replace(sample_weight=product)
        with compiled_losses.aside(model):
            return compiled_losses.compute(model, weighted_batch, y_pred)

    _, (losses,) = differentiation.gradients(loss, [weights])
    if losses is None:
        raise _error(model, "uses neither them nor `sample_weight`")
    return losses


def _error(model, received):
    return ValueError(
        f"{compiled_losses.SAMPLES} needs losses of the examples. If "
        "`compute_loss` is overridden, all its terms must come from the "
        "compiled losses (`super().compute_loss(...)`), or all from values "
        "that it multiplies by `sample_weight`. Received a "
        f"{type(model).__name__} whose loss {received}"
    )
