"""The values of variables."""

from keras import ops


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [ops.convert_to_tensor(variable.value) for variable in variables]
