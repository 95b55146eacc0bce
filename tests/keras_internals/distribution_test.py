"""Tests of `_keras_internals.distribution`."""

import sys
import types

import keras
import numpy as np
import pytest

from keras_sam import _keras_internals


def test_holding():
    variable = keras.Variable([1.0, 2.0])
    before = variable.value
    with pytest.raises(ValueError, match="within"):
        with _keras_internals.holding([(variable, np.array([3.0, 4.0]))]):
            np.testing.assert_array_equal(variable.value, [3, 4])
            raise ValueError("within")
    assert variable.value is before
    with pytest.raises(RuntimeError, match="uses `SimpleNamespace._value`"):
        with _keras_internals.holding([(types.SimpleNamespace(), 0)]):
            pass


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
