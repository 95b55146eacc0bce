"""The values of variables."""

import tensorflow as tf


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [tf.convert_to_tensor(variable.value) for variable in variables]


def kept(variables):
    """Returns the current values, to be kept while the variables change."""
    return read(variables)
