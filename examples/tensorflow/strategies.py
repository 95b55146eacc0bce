"""What `--strategy` may be on TensorFlow: strategies of tf.distribute."""

import contextlib

import tensorflow as tf

from examples.tensorflow import cluster
from examples.tensorflow import tpu

# Functions of the flags.
STRATEGIES = {
    "none": lambda s: tf.distribute.get_strategy(),
    "mirrored": lambda s: tf.distribute.MirroredStrategy(),
    "multi_worker": lambda s: cluster.join(
        s.cluster, s.cluster_timeout, s.cluster_port
    ),
    "tpu": lambda s: tpu.strategy(s.tpu),
}
_INSTEAD = {
    "data_parallel": "--strategy=mirrored for the GPUs of one machine, "
    "--strategy=multi_worker for several machines",
}


def instead(name):
    """Returns what to write for a strategy of the other backend, or None."""
    return _INSTEAD.get(name)


def training(strategy):
    """Returns the context of a whole run."""
    return contextlib.nullcontext()


def making(strategy):
    """Returns the context for making a model."""
    return strategy.scope()


def replicas(strategy):
    """Returns the number of replicas that share a batch."""
    return strategy.num_replicas_in_sync
