"""Random draws that depend only on a name, a seed and the numbers of the steps.

The draws have no state to save. A resumed training draws the numbers that the
uninterrupted one would have drawn. All replicas and all parts of a batch draw
the same numbers. XLA and TensorFlow draw different numbers, as in Keras's
dropout.
"""

import zlib

from keras_sam import _validation
from keras_sam._backend import random


class Draws:
    """A stream of random tensors. Each call draws the next tensor.

    Args:
        name: String. Streams with different names are independent.
        seed: Int.
        iterations: Scalar int tensor, the number of the train step.
        ascent_step: Int, or scalar int tensor in a loop, the number of steps of
            the climb already taken.
        climb: Int, the number of the climb within the train step.
    """

    def __init__(self, name, seed, iterations, ascent_step, climb=0):
        self._key = random.key(seed, iterations)
        numbers = [zlib.crc32(name.encode()) & 0x7FFFFFFF, ascent_step]
        # Without it the first climb draws what it did before there were more.
        numbers += [climb] if climb else []
        for number in numbers:
            self._key = random.fold_in(self._key, number)
        self._drawn = 0

    def uniform(self, shape):
        """Returns float32 numbers, uniform in [0, 1)."""
        return random.uniform(self._next(), shape)

    def normal(self, shape, dtype):
        """Returns numbers of the standard normal distribution."""
        return random.normal(self._next(), shape, dtype)

    def _next(self):
        self._drawn += 1
        return random.fold_in(self._key, self._drawn)


def normals(like, seed, number=0):
    """Returns standard normal tensors shaped like others.

    Args:
        like: List of tensors.
        seed: Int, at least 0.
        number: Int. Draws with different numbers are independent.

    Raises:
        TypeError: If the seed is no integer.
        ValueError: If the seed is negative.
    """
    key = random.key(_validation.integer("seed", seed, 0), number)
    return [
        random.normal(random.fold_in(key, i), w.shape, w.dtype)
        for i, w in enumerate(like)
    ]
