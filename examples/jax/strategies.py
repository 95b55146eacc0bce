"""What `--strategy` may be on JAX: distributions of Keras."""

import contextlib

import keras

from examples.jax import cluster


def _data_parallel(settings):
    cluster.join(settings.cluster, settings.cluster_timeout)
    # All data is in the memory of each process.
    return keras.distribution.DataParallel(auto_shard_dataset=False)


# Functions of the flags.
STRATEGIES = {"none": lambda settings: None, "data_parallel": _data_parallel}
_INSTEAD = {
    "mirrored": "--strategy=data_parallel, which takes all devices",
    "multi_worker": "--strategy=data_parallel, in each process, and set "
    f"{cluster.ADDRESSES}, {cluster.NUMBER} and {cluster.INDEX}",
    "tpu": "--strategy=data_parallel, on the machine of the TPU",
}


def instead(name):
    """Returns what to write for a strategy of the other backend, or None."""
    return _INSTEAD.get(name)


def training(strategy):
    """Returns the context of a whole run."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def making(strategy):
    """Returns the context for making a model."""
    return contextlib.nullcontext()


def replicas(strategy=None):
    """Returns the number of devices that share a batch."""
    del strategy  # The one of the run is set.
    distribution = keras.distribution.distribution()
    if distribution is None:
        return 1
    mesh = distribution.device_mesh
    return mesh.shape[mesh.axis_names.index(distribution.batch_dim_name)]
