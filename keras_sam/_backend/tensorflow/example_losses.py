"""The loss of each example of a batch."""

import itertools

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals


def of_examples(model, y_pred, batch):
    """Returns the loss of each example, up to an addend common to all.

    It is the derivative of the batch loss by the example's sample weight, times
    the batch size. So it works for any loss that uses sample weights. An
    example with several losses, such as a sequence, has their sum.

    Args:
        model: `keras.Model`, compiled.
        y_pred: Its outputs.
        batch: `Batch`.

    Raises:
        ValueError: If the loss does not use sample weights.
    """
    size = tf.shape(tree.flatten(y_pred)[0])[0]
    share = tf.ones([size])
    # With values, for the regularizers; the metrics stay as they are.
    scope = keras.StatelessScope([(v, v.value) for v in model.variables])
    with tf.GradientTape() as tape, scope:
        tape.watch(share)
        loss = _keras_internals.compute_loss(
            model,
            x=batch.x,
            y=batch.y,
            y_pred=y_pred,
            sample_weight=_weights(
                share,
                y_pred,
                batch.sample_weight,
                # Subclassed models have none.
                getattr(model, "output_names", None) or (),
            ),
            training=True,
        )
    losses = tape.gradient(loss, share)
    if losses is None:
        raise ValueError(
            "A choice of samples needs a loss that uses `sample_weight`. "
            f"Received a {type(model).__name__} whose loss does not"
        )
    return losses * tf.cast(size, losses.dtype)


def _weights(share, y_pred, given, names):
    """Returns sample weights of each output, those given times the shares.

    They have the rank of the losses of an output, all axes but the last: Keras
    takes a vector for weights along the last axis of the losses.
    """
    if isinstance(y_pred, dict):
        return {
            name: _weights(share, output, _of(given, name, i), names)
            for i, (name, output) in enumerate(y_pred.items())
        }
    if isinstance(y_pred, (list, tuple)):
        named = itertools.zip_longest(names, y_pred)
        return [
            _weights(share, output, _of(given, name, i), names)
            for i, (name, output) in enumerate(named)
        ]
    factor = tf.reshape(share, [-1] + [1] * (len(y_pred.shape) - 2))
    if given is None:
        return factor
    given = tf.cast(given, share.dtype)
    if len(given.shape) < len(factor.shape):
        given = tf.reshape(given, tf.shape(factor))
    return given * factor


def _of(given, name, index):
    """Returns the weights of one output among those given."""
    if isinstance(given, dict):
        return given.get(name)
    return given[index] if isinstance(given, (list, tuple)) else given
