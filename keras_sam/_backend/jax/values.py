"""The values of variables."""

from keras import ops


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [ops.convert_to_tensor(variable.value) for variable in variables]


def kept(variables):
    """Returns the current values, to be kept while the variables change.

    Keras lets JAX overwrite the values of variables in `fit` and `evaluate`.
    """
    return [ops.copy(value) for value in read(variables)]
