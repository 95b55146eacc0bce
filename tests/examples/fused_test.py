"""The fused batch normalization of the benchmarks is Keras's."""

import sys

import keras
import numpy as np
import pytest

from benchmarks import fused
from tests.support import testing

SHAPES = {"images": (6, 6, 3), "features": (5,)}


def trained(layer, shape, mode, **arguments):
    """Returns the weights, moving statistics included, and the history."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = keras.layers.Dense(4)(inputs)
    x = keras.layers.Flatten()(layer(**arguments)(x))
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    model.compile("sgd", testing.cross_entropy(), **testing.MODES[mode])
    random = np.random.RandomState(0)
    x = random.normal(size=(20, *shape)).astype("float32")
    y = random.randint(0, 3, 20)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    outputs = model.predict(x, verbose=0)
    return [w.numpy() for w in model.weights], outputs


@pytest.mark.parametrize(
    "mode", testing.thinned(testing.MODES, lambda i, mode: mode == "graph")
)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "arguments", [{}, {"center": False, "scale": False}, {"momentum": 0.5}]
)
def test_it_is_that_of_keras(shape, mode, arguments):
    wanted = trained(
        keras.layers.BatchNormalization, SHAPES[shape], mode, **arguments
    )
    found = trained(fused.BatchNormalization, SHAPES[shape], mode, **arguments)
    for one, other in zip(
        [*wanted[0], wanted[1]], [*found[0], found[1]], strict=True
    ):
        # Sums of float32 in another order, over six steps.
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
