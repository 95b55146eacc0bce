"""The loss of each example of a batch."""

import itertools

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals


def of_examples(model, y_pred, batch):
    """Returns the loss of each example, up to an addend common to all.

    The loss of an example is the derivative of the batch loss by the example's
    sample weight, times the batch size. So this works for any loss that uses
    sample weights. An example with several losses, such as a sequence, has
    their sum.

    Args:
        model: `keras.Model`, compiled.
        y_pred: The outputs of the model.
        batch: `Batch`.

    Raises:
        ValueError: If the loss does not use sample weights.
    """
    size = tf.shape(tree.flatten(y_pred)[0])[0]
    share = tf.ones([size])
    # Regularizers read these values. The scope keeps metrics as they are.
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
                # Subclassed models have no output names.
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
    """Returns sample weights of each output: the given ones times the shares.

    The weights have the same rank as the losses of an output, which have all
    its axes but the last. Keras would apply a vector of weights along the last
    axis of the losses.
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
    """Returns the given weights of one output."""
    if isinstance(given, dict):
        return given.get(name)
    return given[index] if isinstance(given, (list, tuple)) else given
