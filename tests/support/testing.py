"""Helpers of the tests: two logical CPUs, small data, comparisons.

A test must import this before anything touches TensorFlow's devices. This
module sets the devices, not a conftest, so that a test file also runs alone.
"""

import contextlib
import dataclasses
import functools
import importlib.machinery

from tests.support import engine  # First: it sets the devices.

# isort: split
import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import starts

DIRECTIONS = (
    directions.Normalized(),
    directions.Unnormalized(),
    directions.Adaptive(),
    directions.Layerwise(),
)

# Arguments with each part that has a memory.
STATEFUL = {
    "friendly": {"direction": directions.Friendly(0.7, 0.6)},
    "suppressed": {"direction": directions.VarianceSuppressed(0.4)},
    "fisher mask": {
        "direction": directions.Sparse(directions.FisherMask(3), 0.5, period=2)
    },
    "dynamic mask": {
        "direction": directions.Sparse(
            directions.DynamicMask(8, seed=1), 0.5, period=2
        )
    },
    "eigen": {"direction": directions.Eigen(0.4, period=2, iterations=3)},
    "eigen corrected": {
        "descent": descents.EigenCorrected(0.4, period=2, iterations=3)
    },
    "searched": {"descent": descents.SearchedSlerp(period=2)},
    "threshold": {"cadence": cadences.Threshold(8, decay=0.5)},
    "reuse": {"cadence": cadences.Reuse(2)},
    "momentum": {"start": starts.Momentum(), "ascent_steps": 0},
    "stale": {"start": starts.Stale()},
    "fisher noise": {"start": starts.AdaptiveRandom(2.0, 0.5)},
    "mixed noise": {
        "direction": directions.AdaptiveRandom(2.0, 0.5),
        "descent": descents.Penalized(0.5),
    },
}

MODES = engine.MODES

# Of a test: what it tests is of TensorFlow. `tests/jax/` tests JAX.
TENSORFLOW = pytest.mark.skipif(engine.JAX, reason="It is of TensorFlow")

# Of a test that starts a process on the other backend. The oldest versions of
# the two cannot be in one environment.
BOTH = pytest.mark.skipif(
    importlib.machinery.PathFinder.find_spec(engine.OTHER) is None,
    reason=f"{engine.OTHER} is not installed",
)


def thinned(values, keep):
    """Returns the parameters of a test; `make test` takes some of them.

    `make test-all` takes all. Leave out only what other tests, or other
    parameters of the same test, cover in another way.

    Args:
        values: Iterable of parameters.
        keep: Function of the index and the parameter: whether `make test` runs
            it.
    """
    return [
        value if keep(i, value) else pytest.param(value, marks=ALSO)
        for i, value in enumerate(values)
    ]


ALSO = pytest.mark.also  # `make test-all` runs these, too.


two_replicas = engine.two_replicas


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Averaged(keras_sam.Part):
    """Climbs along the moving average of the gradients that it is given."""

    decay: float = 0.75

    def init(self, params):
        return [ops.zeros_like(w) for w in params]

    def __call__(self, grads, params, memory):
        average = [
            self.decay * m + (1 - self.decay) * g
            for m, g in zip(memory, grads, strict=True)
        ]
        return average, average


@contextlib.contextmanager
def float64():
    """Lets models be made in float64."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        with engine.float64():
            yield
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def data(examples=24, features=6, classes=3, seed=0):
    """Returns (x, y): float32 features and integer labels."""
    random = np.random.RandomState(seed)
    x = random.normal(size=(examples, features)).astype("float32")
    return x, random.randint(0, classes, examples)


def dense_net(features=6, hidden=8, classes=3):
    """Returns a Functional model without state, dropout or regularizers."""
    inputs = keras.Input((features,))
    x = keras.layers.Dense(hidden, activation="tanh", name="hidden")(inputs)
    outputs = keras.layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, outputs)


def full_net(features=6, hidden=8, classes=3):
    """Returns a Functional model with everything that a pass may update."""
    inputs = keras.Input((features,))
    x = keras.layers.Dense(
        hidden, kernel_regularizer=keras.regularizers.L2(0.01), name="hidden"
    )(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Activation(
        "relu", activity_regularizer=keras.regularizers.L1(0.01)
    )(x)
    x = keras.layers.Dropout(0.3, seed=7)(x)
    outputs = keras.layers.Dense(
        classes,
        kernel_constraint=keras.constraints.MaxNorm(1.0),
        name="logits",
    )(x)
    return keras.Model(inputs, outputs)


class OptionalOutput(keras.Model):
    """Has an output that is None."""

    def __init__(self):
        super().__init__()
        self.logits = keras.layers.Dense(3)

    def call(self, inputs):
        return {"logits": self.logits(inputs), "state": None}

    def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
        return cross_entropy()(y, y_pred["logits"])


def cross_entropy():
    """Returns the loss of the nets above."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(
    make, wrap=lambda model: model, optimizer="sgd", fit=None, **compiling
):
    """Trains a model from fixed seeds.

    Args:
        make: Function that returns the inner model.
        wrap: Function from the inner model to the one that is trained.
        optimizer: Keras optimizer, or a function that returns one.
        fit: Dict of arguments for `fit`, over the defaults here.
        **compiling: Arguments for `compile`, over the defaults here.

    Returns:
        (trained model, dict of history).
    """
    keras.utils.set_random_seed(1)
    model = wrap(make())
    if callable(optimizer):
        optimizer = optimizer()
    compiling = {"loss": cross_entropy(), "metrics": ["accuracy"], **compiling}
    model.compile(optimizer, **compiling)
    x, y = data()
    fit = {"x": x, "y": y, "batch_size": 8, "epochs": 2, **(fit or {})}
    history = model.fit(shuffle=False, verbose=0, **fit).history
    return model, history


def replicated_step(model, x, y):
    """Does a train step under the model's strategy, half a batch a replica.

    The step is the one that `fit` does, without the slow data pipeline.
    """
    if engine.JAX:
        return model.train_on_batch(x, y, return_dict=True)
    tf = engine.tf
    strategy = model.distribute_strategy
    replicas = strategy.num_replicas_in_sync

    def part(arrays, replica):
        index = replica.replica_id_in_sync_group
        return tf.nest.map_structure(
            lambda array: tf.constant(np.split(array, replicas)[index]),
            arrays,
        )

    with strategy.scope():
        data = tuple(
            strategy.experimental_distribute_values_from_function(
                functools.partial(part, arrays)
            )
            for arrays in (x, y)
        )
        model.make_train_function()
        return model.train_function(iter([data]))


def values(model):
    """Returns {path: value} of all weights, seeds and optimizer slots."""
    inner = getattr(model, "model", model)
    found = {v.path: v.numpy() for v in inner.variables}
    slots = {
        f"optimizer/{i}": v.numpy()
        for i, v in enumerate(model.optimizer.variables)
    }
    return {**found, **slots}


def state(model):
    """Returns {number and path: value}, of a wrapper's own variables too."""
    variables = [*model.variables, *model.optimizer.variables]
    return {f"{i} {v.path}": v.numpy() for i, v in enumerate(variables)}


def assert_same(first, second, atol=0.0):
    """Asserts that two results of `train` agree, by default to the bit."""
    for a, b in ((values(first[0]), values(second[0])), (first[1], second[1])):
        a, b = list(a.items()), list(b.items())
        assert len(a) == len(b)
        for (name, one), (_, two) in zip(a, b, strict=True):
            np.testing.assert_allclose(
                one, two, rtol=0, atol=atol, err_msg=str(name)
            )
