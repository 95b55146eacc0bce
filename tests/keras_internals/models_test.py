"""What models and layers say of themselves."""

import sys

import keras
import numpy as np
import pytest

from keras_sam import _keras_internals
from tests.support import testing


def test_layers():
    inner = keras.Sequential([keras.layers.Dense(2)])
    outer = keras.Sequential([inner, keras.layers.Dense(3)])
    found = _keras_internals.layers(outer)
    assert len(found) == 4
    assert {id(layer) for layer in found} == {
        id(layer) for layer in (outer, inner, *inner.layers, outer.layers[1])
    }


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (keras.layers.Dense(2), "kernel"),
        (keras.layers.Conv1D(2, 2), "kernel"),
        (keras.layers.EinsumDense("abc,cd->abd", (None, 2)), "kernel"),
        (keras.layers.Embedding(3, 2), "embeddings"),
    ],
)
def test_attributes(layer, name):
    layer.build((None, 4, 3))
    assert dict(_keras_internals.attributes(layer))[name] is getattr(
        layer, name
    )


def test_unlock():
    layer = keras.layers.Dense(2)
    layer.build((None, 3))
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        layer.add_weight(())
    _keras_internals.unlock(layer)
    layer.add_weight(())
    assert len(layer.weights) == 3


def test_own_metrics():
    model = testing.dense_net()
    metric = model.shown = keras.metrics.Mean()
    assert _keras_internals.own_metrics(model) == [metric]
    model.compile("sgd", "mse", metrics=["mae"])
    assert _keras_internals.own_metrics(model) == [metric]


def test_takes_training():
    assert _keras_internals.takes_training(keras.layers.Dropout(0.5))
    assert not _keras_internals.takes_training(keras.layers.Flatten())


def test_default_build():
    class Built(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        @_keras_internals.default_build
        def build(self, input_shape):
            self.was_built = self.dense.built

        def call(self, x):
            return self.dense(x)

    layer = Built()
    layer(np.zeros((2, 3)))
    assert layer.was_built


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
