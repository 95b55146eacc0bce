"""Several devices: 8 virtual CPU devices of one process.

Devices add up in another order than one device, and in another program XLA
fuses otherwise: `ATOL` is a few units in the last place of float32 numbers near
1. Where it is not given, numbers agree to the bit.
"""

import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import keras
import numpy as np

from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from tests.jax import meshes
from tests.jax import two_replicas
from tests.support import processes
from tests.support import testing

ATOL = 2e-6
SUM = keras.losses.SparseCategoricalCrossentropy(True, reduction="sum")
WEIGHTED = keras.losses.SparseCategoricalCrossentropy(
    True, reduction="mean_with_sample_weight"
)
WEIGHTS = np.linspace(0, 2, 16, dtype="float32")

CLIMBS = {
    "sam": {},
    "mean of three": {"ascent_steps": 3, "descent": descents.Mean()},
    "memory, every second step": {
        "direction": directions.Friendly(0.7, 0.6),
        "cadence": cadences.Every(2),
    },
}


def data(weights=None):
    x, y = testing.data(16)
    return (x, y) if weights is None else (x, y, weights)


@pytest.mark.parametrize("climb", CLIMBS)
def test_climbing_together_equals_one_device(climb):
    # `full_net` has dropout and batch statistics, both of the whole batch.
    arguments = {
        "make": testing.full_net,
        "sync_perturbations": True,
        **CLIMBS[climb],
    }
    one = meshes.trained(None, data(), **arguments)
    eight = meshes.trained(meshes.devices(8), data(), **arguments)
    meshes.assert_same(one, eight, ATOL)


@pytest.mark.parametrize("climb", CLIMBS)
def test_each_device_climbs_as_a_part_of_the_batch_does(climb):
    arguments = {"make": testing.full_net, "track": True, **CLIMBS[climb]}
    parts = meshes.trained(None, data(), num_batch_splits=4, **arguments)
    four = meshes.trained(meshes.devices(4), data(), **arguments)
    meshes.assert_same(parts, four, ATOL)


@pytest.mark.parametrize(
    "name",
    # Devices decide together whether they climb.
    testing.thinned(
        [name for name in testing.STATEFUL if name != "threshold"],
        lambda i, _: i % 4 == 2,
    ),
)
def test_parts_with_a_memory(name):
    arguments = {"make": testing.dense_net, **testing.STATEFUL[name]}
    one = meshes.trained(None, data(), num_batch_splits=2, **arguments)
    two = meshes.trained(meshes.devices(2), data(), **arguments)
    meshes.assert_same(one, two, ATOL)


def test_devices_decide_together_whether_they_climb():
    # Parts of a batch decide each by its own gradient, devices by the mean.
    climb = {"cadence": cadences.Threshold(8, decay=0.5)}
    sam, _ = meshes.trained(
        meshes.devices(2), data(), 6, make=testing.dense_net, **climb
    )
    assert sam.climbs in range(1, 7)


def test_eight_devices_are_eight_parts():
    parts = meshes.trained(None, data(), num_batch_splits=8)
    eight = meshes.trained(meshes.devices(8), data())
    meshes.assert_same(parts, eight, ATOL)


def masked_net():
    """Returns a model of sequences whose last output has a mask."""
    inputs = keras.Input((6,))
    x = keras.layers.ReLU()(keras.layers.Reshape((6, 1))(inputs))
    x = keras.layers.Masking(0.0)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def of_sequences():
    x, y = testing.data(16)
    return x, np.tile(y[:, None], (1, 6))


# Name: (data, arguments). In all of them devices have other divisors.
LOSSES = {
    "sum": (data(), {"loss": SUM}),
    "sample weights": (data(WEIGHTS), {}),
    "mean of weights": (data(WEIGHTS), {"loss": WEIGHTED}),
    "mask": (of_sequences(), {"make": masked_net}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_over_devices_is_the_loss_of_the_batch(loss):
    given, arguments = LOSSES[loss]
    arguments = {"make": testing.dense_net, **arguments}
    # Without a radius the gradient is that of the loss of the batch.
    whole = meshes.trained(None, given, rho=0.0, **arguments)
    four = meshes.trained(meshes.devices(4), given, rho=0.0, **arguments)
    meshes.assert_same(whole, four, ATOL)
    parts = meshes.trained(None, given, num_batch_splits=4, **arguments)
    four = meshes.trained(meshes.devices(4), given, **arguments)
    meshes.assert_same(parts, four, ATOL)


def test_parts_on_devices():
    arguments = {"make": testing.dense_net, "loss": WEIGHTED}
    four, two = (
        meshes.trained(on, data(WEIGHTS), num_batch_splits=splits, **arguments)
        for on, splits in ((None, 4), (meshes.devices(2), 2))
    )
    meshes.assert_same(four, two, ATOL)


def test_a_step_that_is_not_compiled():
    arguments = {"compiling": {"run_eagerly": True}, "steps": 1}
    compiled = meshes.trained(meshes.devices(2), data(), steps=1)
    eager = meshes.trained(meshes.devices(2), data(), **arguments)
    meshes.assert_same(compiled, eager, ATOL)


@testing.BOTH
def test_two_devices_equal_two_replicas_of_tensorflow(tmp_path):
    x, y = testing.data(8)
    keras.utils.set_random_seed(1)
    weights = {
        f"{name}/{index}": value
        for name in two_replicas.SETTINGS
        for index, value in enumerate(two_replicas.network(name).get_weights())
    }
    before, after = tmp_path / "before.npz", tmp_path / "after.npz"
    np.savez(before, x=x, y=y, **weights)
    process = processes.start(
        *("-m", "tests.jax.two_replicas", str(before), str(after)),
        KERAS_BACKEND=engine.OTHER,
    )
    found = {}
    for name in two_replicas.SETTINGS:
        with meshes.devices(2).scope():
            sam = two_replicas.wrapped(name, weights)
            for _ in range(two_replicas.STEPS):
                sam.train_on_batch(x, y)
        for index, value in enumerate(sam.model.get_weights()):
            found[f"{name}/{index}"] = value
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    expected = np.load(after)
    assert set(expected) == set(found)
    for name, value in found.items():
        np.testing.assert_allclose(
            value, expected[name], rtol=0, atol=ATOL, err_msg=name
        )


def test_no_climb_is_plain_keras():
    fit = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0}
    x, y = testing.data(24)
    results = []
    for wrap in (lambda model: model, plain):
        with meshes.devices(8).scope():
            keras.utils.set_random_seed(1)
            model = wrap(testing.full_net())
            model.compile(
                keras.optimizers.SGD(0.1, momentum=0.9),
                testing.cross_entropy(),
                metrics=["accuracy"],
            )
            history = model.fit(
                x, y, validation_data=(x[:16], y[:16]), **fit
            ).history
            evaluated = model.evaluate(x, y, batch_size=8, verbose=0)
            predicted = model.predict(x, batch_size=8, verbose=0)
        results.append((testing.values(model), history, evaluated, predicted))
    (values, *others), (values_here, *others_here) = results
    np.testing.assert_equal(list(values.values()), list(values_here.values()))
    np.testing.assert_equal(others, others_here)


def plain(model):
    return meshes.keras_sam.SAM(model, ascent_steps=0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
