"""The devices that climb on their own, and means over them.

Keras's distributions make one program for all devices: a tensor is the tensor
of all of them, and a mean over the batch is the mean over all devices. Nothing
is left to do where all devices climb together. Where each device climbs on its
own part of the batch, `each_on_its_own` maps a function over them, and only
there `mean` has something to do.
"""

import contextlib
import threading

import jax
import keras

_here = threading.local()


def current():
    """Returns the distribution that is set, or None."""
    return keras.distribution.distribution()


def strategic():
    """Whether this is traced for devices that climb on their own."""
    return _axis() is not None


def has_own(strategy):
    """Whether a distribution is set."""
    return strategy is not None


def count():
    """Returns 1: Keras does not divide losses by the number of devices."""
    return 1


def mean(tensors):
    """Returns the mean over devices of each float tensor of a list."""
    return reduced("mean", tensors)


def reduced(operation, tensors):
    """Returns tensors, with float tensors reduced over devices.

    Args:
        operation: "mean", "sum" or "max".
        tensors: List of tensors.
    """
    axis = _axis()
    if axis is None:
        return tensors
    function = {
        "mean": jax.lax.pmean,
        "sum": jax.lax.psum,
        "max": jax.lax.pmax,
    }[operation]
    floats = [i for i, t in enumerate(tensors) if _is_float(t)]
    # One call: XLA then moves all tensors of a dtype by one collective.
    found = function([tensors[i] for i in floats], axis)
    results = list(tensors)
    for i, tensor in zip(floats, found, strict=True):
        results[i] = tensor
    return results


@contextlib.contextmanager
def along(axis):
    """Lets `mean` run over an axis of the mesh, which `shard_map` maps over."""
    before, _here.axis = _axis(), axis
    try:
        yield
    finally:
        _here.axis = before


def tasks(strategy):
    """Returns (type, index) of all processes, empty if there is one."""
    del strategy
    number = jax.process_count()
    return [("process", i) for i in range(number)] if number > 1 else []


def here(strategy):
    """Returns (type, index) of this process, or None if it is alone."""
    return ("process", jax.process_index()) if tasks(strategy) else None


def address(strategy, task):
    """Returns where a process is: nothing, which only the launcher knows."""
    del strategy, task
    return ""


def is_chief(strategy):
    """Whether this process is the one that writes the files of all."""
    del strategy
    return jax.process_index() == 0


def _axis():
    return getattr(_here, "axis", None)


def _is_float(tensor):
    return keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(tensor.dtype)
    )
