"""A layer that assigns a `tf.Variable` would do so in every pass."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.support import testing


class Assigning(keras.layers.Layer):
    """Assigns a variable of TensorFlow in a way, or only reads it."""

    def __init__(self, way):
        super().__init__(name="assigning")
        self._way = way
        self.seen = tf.Variable(np.zeros(3, "float32"), trainable=False)

    def call(self, inputs):
        mean = keras.ops.mean(inputs, axis=0)
        if self._way == "assign":
            self.seen.assign(mean)
        elif self._way == "add":
            self.seen.assign_add(mean)
        elif self._way == "scatter":
            self.seen.scatter_nd_update([[0]], [1.0])
        return inputs + self.seen


def wrapped(way, **arguments):
    net = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3), Assigning(way)]
    )
    sam = keras_sam.SAM(net, **arguments)
    sam.compile("sgd", testing.cross_entropy())
    return sam


@pytest.mark.parametrize("way", ["assign", "add", "scatter"])
def test_an_assignment_is_refused(way):
    sam = wrapped(way)
    with pytest.raises(
        ValueError, match=r"must not assign a `tf.Variable`.*assigning\.seen"
    ):
        sam.train_on_batch(*testing.data())
    np.testing.assert_array_equal(sam.model.layers[-1].seen, np.zeros(3))


def test_a_step_of_one_pass_may_assign():
    sam = wrapped("add", ascent_steps=0)
    sam.fit(*testing.data(), batch_size=8, verbose=0)
    assert np.abs(sam.model.layers[-1].seen).min() > 0


def test_reading_is_fine():
    assert np.isfinite(wrapped("read").train_on_batch(*testing.data()))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
