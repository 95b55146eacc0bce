"""Random tensors that depend on a key and on nothing else."""

import tensorflow as tf


def key(seed, number):
    """Returns the key of a seed and a scalar int tensor."""
    return tf.stack([seed, tf.cast(number, "int32")])


def fold_in(key, number):
    """Returns a new key. Each pair of a key and an int has a different one."""
    return tf.random.experimental.stateless_fold_in(key, number)


def uniform(key, shape):
    """Returns float32 numbers, uniform in [0, 1)."""
    return tf.random.stateless_uniform(shape, key)


def normal(key, shape, dtype):
    """Returns numbers of the standard normal distribution."""
    return tf.random.stateless_normal(shape, key, dtype=dtype)
