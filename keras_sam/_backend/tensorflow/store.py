"""Texts that all workers of a cluster can read, under keys."""

import tensorflow as tf

from keras_sam._backend.tensorflow import tensorflow_internals

write = tensorflow_internals.write
delete = tensorflow_internals.delete
failure = tensorflow_internals.failure


class LateError(Exception):
    """A text was not there in time."""


def read(key, milliseconds):
    """Returns the text under a key, once it is there.

    Args:
        key: String.
        milliseconds: Int, at least 1, how long to wait.

    Raises:
        LateError: If it is not there in time.
    """
    try:
        return tensorflow_internals.read(key, milliseconds)
    except tf.errors.DeadlineExceededError as error:
        raise LateError from error
