"""Random numbers that NumPy draws, in the place of the backend's own.

TensorFlow and JAX draw different numbers. Two trainings on them can be compared
only if both get the same numbers.
"""

import contextlib
from unittest import mock

import keras
import numpy as np
from keras import ops

from keras_sam._algorithm import draws

# The train steps, and the batches of a landscape, that there are numbers for.
STEPS = 16


class Numbers:
    """Has the functions of `_backend/*/random.py`.

    A key is a pair: the number of the train step, which may be a tensor, and
    all other numbers, which are ints.
    """

    @staticmethod
    def key(seed, number):
        return number, (seed,)

    @staticmethod
    def fold_in(key, number):
        step, others = key
        return step, (*others, int(number))

    @staticmethod
    def uniform(key, shape):
        return _of_step(key, shape, "float32", "uniform")

    @staticmethod
    def normal(key, shape, dtype):
        return _of_step(key, shape, dtype, "normal")


def _of_step(key, shape, dtype, name):
    step, others = key
    steps = getattr(np.random.default_rng(others), name)(size=(STEPS, *shape))
    # A float32 number must stay below 1.
    steps = steps.astype(keras.backend.standardize_dtype(dtype))
    return ops.take(ops.convert_to_tensor(steps), step, axis=0)


def _first_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    return mean + stddev * Numbers.normal((0, (seed,)), shape, dtype)


def _first_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    return minval + (maxval - minval) * Numbers.uniform((0, (seed,)), shape)


@contextlib.contextmanager
def handed_over():
    """Lets parts, first memories and landscapes have NumPy's numbers."""
    with (
        mock.patch.object(draws, "random", Numbers),
        mock.patch.object(keras.random, "normal", _first_normal),
        mock.patch.object(keras.random, "uniform", _first_uniform),
    ):
        yield
