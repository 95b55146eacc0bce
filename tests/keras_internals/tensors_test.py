"""What Keras attaches to tensors."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import _keras_internals


def test_mask():
    tokens = ops.array([[1, 2, 0]])
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(tokens)
    mask = _keras_internals.mask(embedded)
    np.testing.assert_array_equal(mask, [[True, True, False]])
    assert _keras_internals.mask(tokens) is None


def test_logits():
    x = ops.array([[1.0, 2.0]])
    found = _keras_internals.logits(keras.activations.softmax(x))
    np.testing.assert_array_equal(found, x)
    assert _keras_internals.logits(x) is None


def test_set_mask():
    sequence, last = (
        ops.array([[[1.0], [5.0]]]),
        keras.layers.LSTM(1),
    )
    whole = last(sequence)
    _keras_internals.set_mask(sequence, None)
    np.testing.assert_array_equal(last(sequence), whole)
    _keras_internals.set_mask(sequence, ops.array([[True, False]]))
    np.testing.assert_allclose(last(sequence), last(sequence[:, :1]))
    assert not np.allclose(last(sequence), whole)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
