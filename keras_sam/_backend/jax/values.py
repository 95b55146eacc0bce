"""The values of variables."""

import jax.numpy as jnp
from jax.experimental import multihost_utils
from keras import ops

from keras_sam import _keras_internals


def read(variables):
    """Returns the current values of Keras variables, a list of tensors."""
    return [ops.convert_to_tensor(variable.value) for variable in variables]


def snapshot(variables):
    """Returns current values that stay, whatever happens to the variables.

    Keras gives the arrays of variables away in each step (`donate_argnums`).
    """
    return [jnp.copy(value) for value in read(variables)]


def array(tensor):
    """Returns the whole of a tensor, as a NumPy array.

    If processes share the tensor, all of them must call this. Each device then
    has room for the whole tensor.
    """
    if _is_here(tensor):
        return ops.convert_to_numpy(tensor)
    return multihost_utils.process_allgather(tensor, tiled=True)


def gathered(variables):
    """Returns a context in which variables that processes share are whole.

    All processes must call this. The values are in the memory of the host.

    Args:
        variables: List of Keras variables.
    """
    # No scope of Keras: within one Keras cannot save.
    return _keras_internals.holding(
        [(v, array(v.value)) for v in variables if not _is_here(v.value)]
    )


def _is_here(tensor):
    """Whether this process can read all of a tensor."""
    return tensor.is_fully_addressable or tensor.is_fully_replicated
