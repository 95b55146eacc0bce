"""Random tensors that depend on a key and on nothing else."""

import jax


def key(seed, number):
    """Returns the key of a seed and a scalar int tensor."""
    return jax.random.fold_in(jax.random.key(seed), number)


def fold_in(key, number):
    """Returns a new key. Each pair of a key and an int has a different one."""
    return jax.random.fold_in(key, number)


def uniform(key, shape):
    """Returns float32 numbers, uniform in [0, 1)."""
    return jax.random.uniform(key, tuple(shape), "float32")


def normal(key, shape, dtype):
    """Returns numbers of the standard normal distribution."""
    return jax.random.normal(key, tuple(shape), dtype)
