"""Training under MirroredStrategy, with two replicas on two logical CPUs.

Replicas add up in another order than one device, and matrix products of
another shape round otherwise: `ATOL` is some units in the last place of float32
weights and gradients near 1. Where it is not given, numbers agree to the bit.
"""

import dataclasses
import itertools
import sys

import pytest

from tests import testing  # isort: skip

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import keras_sam
from keras_sam import descents
from keras_sam import directions

ATOL = 1e-6
STRATEGY = testing.two_replicas()
RHO = 0.5

DIRECTIONS = (
    directions.Normalized(),
    directions.Unnormalized(),
    directions.Adaptive(),
    directions.Layerwise(),
)
DESCENTS = (descents.Last(), descents.Mean())
every_part = pytest.mark.parametrize(
    ("direction", "descent", "steps"),
    itertools.product(DIRECTIONS, DESCENTS, (1, 3)),
    ids=repr,
)


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Averaged(keras_sam.Part):
    """Climbs along the moving average of clean gradients."""

    decay: float = 0.75

    def init(self, params):
        return [ops.zeros_like(w) for w in params]

    def __call__(self, grads, params, memory):
        average = [
            self.decay * m + (1 - self.decay) * g
            for m, g in zip(memory, grads, strict=True)
        ]
        return average, average


def sam(**arguments):
    """Returns a function that wraps a model."""
    return lambda model: keras_sam.SAM(model, **{"rho": RHO, **arguments})


def replicated(*arguments, strategy=STRATEGY, **kwargs):
    """Trains like `testing.train`, on two replicas."""
    with strategy.scope():
        return testing.train(*arguments, **kwargs)


def one_step(train, wrap, rows=slice(None), make=testing.dense_net, **kwargs):
    """Returns the weights after one step on some rows of a batch of 8."""
    x, y = testing.data(8)
    x, y = x[rows], y[rows]
    optimizer = kwargs.pop("optimizer", lambda: keras.optimizers.SGD(1.0))
    model, _ = train(
        make,
        wrap,
        optimizer,
        fit={"x": x, "y": y, "epochs": 1},
        metrics=None,
        **kwargs,
    )
    return weights(model)


def weights(model):
    return [v.numpy() for v in model.trainable_variables]


def assert_close(first, second, atol=ATOL):
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


def copies(variable):
    """Returns the values that the replicas hold."""
    values = STRATEGY.experimental_local_results(variable.value)
    return [value.numpy() for value in values]


def assert_replicas_agree(variables):
    for variable in variables:
        first, second = copies(variable)
        np.testing.assert_array_equal(first, second, err_msg=variable.path)


def mean_of_halves(wrap, **kwargs):
    """Returns weights that moved by the mean of two steps, one a half."""
    halves = [
        one_step(testing.train, wrap, rows, run_eagerly=True, **kwargs)
        for rows in (slice(4), slice(4, None))
    ]
    return [(one + two) / 2 for one, two in zip(*halves, strict=True)]


# No climb: plain Keras under the same strategy.


def two_heads():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="tanh", name="hidden")(inputs)
    return keras.Model(
        inputs,
        {
            "class": keras.layers.Dense(3, name="class")(x),
            "size": keras.layers.Dense(1, name="size")(x),
        },
    )


def two_targets():
    x, y = testing.data()
    return {
        "optimizer": "adam",
        "fit": {"y": {"class": y, "size": x[:, :1]}, "batch_size": 10},
        "loss": {"class": testing.cross_entropy(), "size": "mse"},
        "loss_weights": {"class": 0.5, "size": 2.0},
        "metrics": {"class": ["accuracy"], "size": ["mae"]},
    }


def stateless_net():
    """Has dropout and regularizers, but no batch statistics."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, "relu", kernel_regularizer="l2")(inputs)
    x = keras.layers.Dropout(0.3, seed=7)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


NO_CLIMB = {
    "no steps": {"ascent_steps": 0},
    "no radius": {"rho": 0.0, "ascent_steps": 2},
    "no radius, synced": {"rho": 0.0, "sync_perturbations": True},
}
SETTINGS = {
    "everything": lambda: {"optimizer": "adam", "fit": {"batch_size": 10}},
    "sample weights": lambda: {
        "fit": {"sample_weight": np.linspace(0, 2, 24)},
        "weighted_metrics": ["accuracy"],
    },
    "class weights": lambda: {
        "fit": {"class_weight": {0: 1.0, 1: 0.5, 2: 3.0}}
    },
    "clipping off": lambda: {"optimizer": keras.optimizers.AdamW},
    "two heads": two_targets,
}


@pytest.mark.parametrize("no_climb", NO_CLIMB)
@pytest.mark.parametrize("setting", SETTINGS)
def test_without_a_climb_is_plain_keras(setting, no_climb):
    make = two_heads if setting == "two heads" else testing.full_net
    plain = replicated(make, **SETTINGS[setting]())
    ours = replicated(make, sam(**NO_CLIMB[no_climb]), **SETTINGS[setting]())
    testing.assert_same(plain, ours)
    assert np.isfinite(plain[1]["loss"]).all()
