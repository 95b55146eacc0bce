"""The values of variables."""

import jax.numpy as jnp
from keras import ops


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [ops.convert_to_tensor(variable.value) for variable in variables]


def snapshot(variables):
    """Returns current values that stay, whatever happens to the variables.

    Keras gives the arrays of variables away in each step (`donate_argnums`).
    """
    return [jnp.copy(value) for value in read(variables)]
