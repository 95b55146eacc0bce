"""The values of variables."""

import contextlib

import tensorflow as tf
from keras import ops


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def snapshot(variables):
    """Returns current values that stay, whatever happens to the variables."""
    return read(variables)


def array(tensor):
    """Returns a tensor as a NumPy array."""
    return ops.convert_to_numpy(tensor)


def gathered(variables):
    """Returns a context that changes nothing: each worker has all variables."""
    del variables
    return contextlib.nullcontext()
