"""Texts that all processes of `jax.distributed` can read, under keys."""

from keras_sam._backend.jax import endings
from keras_sam._backend.jax import jax_internals

write = jax_internals.write
delete = jax_internals.delete


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
    endings.watch()
    try:
        return jax_internals.read(key, milliseconds)
    except jax_internals.ERROR as error:
        if "DEADLINE_EXCEEDED" not in str(error):
            raise
        raise LateError from error


def failure(kind, index):
    """Returns an error if a process will not come, None if it may."""
    del kind
    return endings.failure(index)
