"""The values of variables."""

import tensorflow as tf


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def snapshot(variables):
    """Returns current values that stay, whatever happens to the variables."""
    return read(variables)
