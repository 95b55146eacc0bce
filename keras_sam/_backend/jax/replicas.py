"""The devices that climb on their own, and means over them.

Keras's distributions make one program for all devices: a tensor is the tensor
of all of them, and a mean over the batch is the mean over all devices. Nothing
is left to do where all devices climb together. Where each device climbs on its
own part of the batch, `jax.shard_map` maps the climb over them. Only within
`along` a mean has something to do.
"""

import contextlib
import threading

import jax
import keras
import numpy as np
from keras import tree

from keras_sam import _keras_internals

_here = threading.local()


def of(model):
    """Returns the distribution that is set: on JAX it holds for all models."""
    del model
    return current()


def scope(strategy):
    """Returns a context that changes nothing: `strategy` is set already."""
    del strategy
    return contextlib.nullcontext()


def current():
    """Returns the distribution that is set, or None."""
    return keras.distribution.distribution()


def parts(distribution):
    """Returns the number of parts that a distribution makes of a batch."""
    mesh = distribution.device_mesh
    if distribution.batch_dim_name not in mesh.axis_names:
        return 1
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]


def distributed(data):
    """Returns a batch on all devices, whole where they cannot share it.

    Several processes have a part of the batch each, which must divide evenly.

    Args:
        data: A batch as `fit` takes it, on the host.
    """
    distribution = current()
    if (
        distribution is None
        or jax.process_count() > 1
        or all(
            array is None or array.shape[0] % parts(distribution) == 0
            for array in tree.flatten(data)
        )
    ):
        return _keras_internals.distributed(data)
    everywhere = jax.sharding.NamedSharding(
        distribution.device_mesh.backend_mesh, jax.sharding.PartitionSpec()
    )
    return jax.device_put(data, everywhere)


def own(tensor):
    """Returns the rows of a tensor that belong to the data of this process.

    All processes must call this.

    Args:
        tensor: Tensor on all devices, whose first axis is that of the examples.
    """
    layout = current().get_data_layout(tensor.shape).backend_layout
    shards = jax.device_put(tensor, layout).addressable_shards
    # Devices along other axes of the mesh have the same rows.
    rows = {shard.index[0].start or 0: shard.data for shard in shards}
    return np.concatenate([rows[start] for start in sorted(rows)])


def strategic():
    """Whether this is traced for devices that climb on their own."""
    return _axis() is not None


def count():
    """Returns 1: Keras does not divide losses by the number of devices."""
    return 1


def mean(tensors):
    """Returns the mean over devices of each float tensor of a list."""
    return reduced("mean", tensors)


def reduced(operation, tensors):
    """Returns tensors reduced over devices.

    A mean leaves tensors of other dtypes than floats as they are.

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
    chosen = [
        i
        for i, tensor in enumerate(tensors)
        if operation != "mean" or keras.backend.is_float_dtype(tensor.dtype)
    ]
    # One call: XLA then moves all tensors by one collective.
    found = function([tensors[i] for i in chosen], axis)
    results = list(tensors)
    for i, tensor in zip(chosen, found, strict=True):
        results[i] = tensor
    return results


def total(tensors):
    """Returns the sum over devices of the single tensor of a list."""
    (sum_of_all,) = reduced("sum", tensors)
    return sum_of_all


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
