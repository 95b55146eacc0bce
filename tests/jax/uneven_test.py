"""Eight devices evaluate and predict on data that they cannot share evenly."""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np

from tests.jax import feeding_test
from tests.jax import meshes
from tests.support import testing

ATOL = 2e-6  # Sums in another order.


def arrays():
    return testing.data(20), {"batch_size": 8}


def few():
    return testing.data(3), {}


def generator():
    x, y = testing.data(20)
    batches = (
        (x[rows], y[rows], np.arange(len(y[rows])) + 1.0)
        for rows in np.split(np.arange(20), [3, 11])
    )
    return (batches,), {}


def data_set():
    return (feeding_test.Batches(20),), {}


DATA = (arrays, few, generator, data_set)


@pytest.fixture(scope="module")
def wrappers():
    """The same model on one device and on eight."""
    found = []
    for distribution in (None, meshes.devices(8)):
        with meshes.scope(distribution):
            found.append((distribution, meshes.wrapped(testing.full_net)))
    return found


def on_each(wrappers, function):
    """Returns what a function of a wrapper finds on one device, and on 8."""
    results = []
    for distribution, sam in wrappers:
        with meshes.scope(distribution):
            results.append(function(sam))
    return results


@pytest.mark.parametrize("data", DATA)
def test_evaluate(data, wrappers):
    def evaluated(sam):
        given, arguments = data()
        return sam.evaluate(*given, verbose=0, **arguments)

    np.testing.assert_allclose(*on_each(wrappers, evaluated), rtol=0, atol=ATOL)


@pytest.mark.parametrize("data", DATA)
def test_predict(data, wrappers):
    def predicted(sam):
        given, arguments = data()
        return sam.predict(given[0], verbose=0, **arguments)

    one, eight = on_each(wrappers, predicted)
    assert one.shape == ((3 if data is few else 20), 3)
    np.testing.assert_allclose(one, eight, rtol=0, atol=ATOL)


@pytest.mark.parametrize("compiling", [{}, {"steps_per_execution": 2}])
def test_several_outputs(compiling):
    def model():
        inputs = keras.Input((6,))
        x = keras.layers.Dense(2)(inputs)
        return keras.Model(inputs, {"a": x, "b": keras.layers.Dense(3)(x)})

    def predicted(sam):
        return sam.predict(testing.data(20)[0], batch_size=8, verbose=0)

    wrappers = []
    for distribution in (None, meshes.devices(8)):
        with meshes.scope(distribution):
            sam = meshes.wrapped(model, "mse", (), compiling=compiling)
            wrappers.append((distribution, sam))
    one, eight = on_each(wrappers, predicted)
    assert one.keys() == eight.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, eight[name], rtol=0, atol=ATOL)


def test_fit_validates_on_uneven_data():
    def validated(distribution):
        with meshes.scope(distribution):
            sam = meshes.wrapped(testing.dense_net, sync_perturbations=True)
            history = sam.fit(
                *testing.data(16),
                batch_size=8,
                epochs=2,
                shuffle=False,
                validation_data=testing.data(13),
                verbose=0,
            ).history
        return [history["val_loss"], history["val_accuracy"]]

    np.testing.assert_allclose(
        validated(None), validated(meshes.devices(8)), rtol=0, atol=ATOL
    )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
