"""Training under MirroredStrategy, with two replicas on two logical CPUs.

Replicas add up in another order than one device, matrix products of another
shape round otherwise, and in another graph TensorFlow fuses otherwise: `ATOL`
is a few units in the last place of float32 weights and gradients near 1. Where
it is not given, numbers agree to the bit.
"""

import functools
import itertools
import sys

import pytest

from tests.support import testing  # isort: skip

import keras
import numpy as np
import tensorflow as tf
from keras import ops

import keras_sam
from keras_sam import _keras_internals
from keras_sam import descents
from keras_sam import directions

ATOL = 1e-6
RHO = 0.5
SGD = functools.partial(keras.optimizers.SGD, 1.0)
HALVES = (slice(0, 4), slice(4, 8))
NONE = tf.distribute.get_strategy()
STRATEGY = testing.two_replicas()

# For one step, `Mean` is `Last`.
DESCENTS = ((1, descents.Last()), (3, descents.Last()), (3, descents.Mean()))
CLIMBS = [
    {"direction": direction, "descent": descent, "ascent_steps": steps}
    for direction, (steps, descent) in itertools.product(
        testing.DIRECTIONS, DESCENTS
    )
] + [
    {"ascent_steps": 3, "radius": radius}
    for radius in ("full", "projected", "matched")
]


def _name(arguments):
    return " ".join(str(value) for value in arguments.values())


every_climb = pytest.mark.parametrize("climb", CLIMBS, ids=_name)


def sam(**arguments):
    """Returns a function that wraps a model."""
    return lambda model: keras_sam.SAM(model, **{"rho": RHO, **arguments})


def replicated(*arguments, strategy=STRATEGY, **kwargs):
    """Trains like `testing.train`, on two replicas."""
    with strategy.scope():
        return testing.train(*arguments, **kwargs)


def weights(model):
    return model.trainable_variables


def step_on_one(
    wrap,
    rows=slice(8),
    *,
    make=testing.dense_net,
    optimizer=SGD,
    values=weights,
):
    """Returns the weights, or others, after one step on one device."""
    keras.utils.set_random_seed(1)
    model = wrap(make())
    model.compile(optimizer(), testing.cross_entropy(), run_eagerly=True)
    x, y = testing.data(8)
    model.train_on_batch(x[rows], y[rows])
    return [v.numpy() for v in values(model)]


def step_on_two(
    wrap, rows=HALVES, *, make=testing.dense_net, optimizer=SGD, values=weights
):
    """Returns the weights, or others, after one step on two replicas.

    It is the step of `fit`, without the data pipeline, which takes longer.
    """

    def per_replica(array):
        return STRATEGY.experimental_distribute_values_from_function(
            lambda replica: tf.constant(
                array[rows[replica.replica_id_in_sync_group]]
            )
        )

    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        model = wrap(make())
        model.compile(optimizer(), testing.cross_entropy())
        model.optimizer.build(model.trainable_variables)
        model.make_train_function()
        data = tuple(per_replica(array) for array in testing.data(8))
        model.train_function(iter([data]))
    return [v.numpy() for v in values(model)]


def mean_of_steps(wrap, **kwargs):
    """Returns weights moved by the mean of two steps, one on each half."""
    one, two = (step_on_one(wrap, rows, **kwargs) for rows in HALVES)
    return [(a + b) / 2 for a, b in zip(one, two, strict=True)]


def memory(model):
    return [v for v in model.variables if "memory" in v.path]


def assert_close(first, second, atol=ATOL):
    for one, two in zip(first, second, strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


def copies(variable):
    """Returns the values that the replicas hold."""
    held = STRATEGY.experimental_local_results(variable.value)
    return [copy.numpy() for copy in held]


def assert_replicas_agree(variables):
    for variable in variables:
        np.testing.assert_array_equal(*copies(variable), variable.path)


# No climb: plain Keras under the same strategy.


def two_heads():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="tanh")(inputs)
    a = keras.layers.Dense(3, name="a")(x)
    b = keras.layers.Dense(1, name="b")(x)
    return keras.Model(inputs, {"a": a, "b": b})


def stateless_net():
    """Has dropout and a regularizer, but no batch statistics."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, "relu", kernel_regularizer="l2")(inputs)
    x = keras.layers.Dropout(0.3, seed=7)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def norm_net(weights="l2", activity="l1"):
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, kernel_regularizer=weights)(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Activation("relu", activity_regularizer=activity)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


def everything():
    """An uneven last batch of weighted examples, halved unevenly."""
    x, y = testing.data(23)
    fit = {
        "x": x,
        "y": y,
        "sample_weight": np.linspace(0, 2, 23),
        "batch_size": 10,
        "epochs": 1,
        "validation_data": (x, y),
    }
    return {
        "make": testing.full_net,
        "optimizer": adam,
        "fit": fit,
        "weighted_metrics": ["accuracy"],
    }


def empty_replica():
    """A last batch of one example, which leaves a replica without any."""
    x, y = testing.data(17)
    return {
        "make": stateless_net,
        "fit": {"x": x, "y": y, "class_weight": {0: 1.0, 1: 0.5, 2: 3.0}},
    }


def several_losses():
    x, y = testing.data()
    return {
        "make": two_heads,
        "fit": {"y": {"a": y, "b": x[:, :1]}, "epochs": 1},
        "loss": {"a": testing.cross_entropy(), "b": "mse"},
        "loss_weights": {"a": 0.5, "b": 2.0},
        "metrics": None,
    }


def adam():
    """Returns an Adam that makes no steps of rounding errors.

    They are all that is left of the gradient of a bias before a normalization,
    and Adam would divide them by their own size.
    """
    return keras.optimizers.Adam(epsilon=1e-3)


def unbuilt_net():
    layers = keras.layers
    return keras.Sequential([layers.Dense(8), layers.PReLU(), layers.Dense(3)])


def unbuilt():
    return {"make": unbuilt_net, "optimizer": "adam", "fit": {"epochs": 1}}


@functools.cache
def plain(setting, mode):
    return replicated(**setting(), **testing.MODES[mode])


@pytest.mark.parametrize(
    ("setting", "mode", "arguments"),
    [
        (everything, "graph", {"ascent_steps": 0}),
        (everything, "graph", {"rho": 0.0, "sync_perturbations": True}),
        (empty_replica, "graph", {"ascent_steps": 0}),
        (empty_replica, "graph", {"rho": 0.0, "ascent_steps": 2}),
        (several_losses, "graph", {"ascent_steps": 0}),
        (unbuilt, "graph", {"ascent_steps": 0}),
        (unbuilt, "eager", {"rho": 0.0}),
    ],
)
def test_without_a_climb_is_plain_keras(setting, mode, arguments):
    """But for batch statistics and what is validated with them, see below.

    To the bit without ascent steps. With a radius of 0 there are more passes,
    hence roundings.
    """
    ours = replicated(wrap=sam(**arguments), **setting(), **testing.MODES[mode])
    expected = plain(setting, mode)
    if setting is everything:
        ours, expected = map(without_statistics, (ours, expected))
    atol = ATOL if "rho" in arguments else 0.0
    testing.assert_same(expected, ours, atol)
    pairs = zip(ours[0].variables, expected[0].variables, strict=True)
    for one, two in pairs:
        if "moving_" not in one.path:
            assert_close(copies(one), copies(two), atol)
    assert np.isfinite(ours[1]["loss"]).all()


def without_statistics(trained):
    model, history = trained
    for variable in model.variables:
        if "moving_" in variable.path:
            variable.assign(ops.zeros_like(variable))
    return model, {k: v for k, v in history.items() if "val_" not in k}


# Batch statistics: averaged, where Keras has those of each replica.


def full_net():
    return {"make": testing.full_net}


def statistics(model):
    return [v for v in model.variables if "moving_" in v.path]


@pytest.mark.parametrize("sync", [False, True])
def test_statistics_are_the_mean_over_replicas(sync):
    arguments = {"rho": 0.0, "sync_perturbations": sync}
    ours, _ = replicated(testing.full_net, sam(**arguments))
    expected, _ = plain(full_net, "graph")
    assert len(statistics(ours)) == 2
    assert_replicas_agree(statistics(ours))
    for one, two in zip(statistics(ours), statistics(expected), strict=True):
        assert np.ptp(copies(two), axis=0).max() > 0.01
        assert_close([one.numpy()], [np.mean(copies(two), axis=0)])


def test_statistics_are_weighted_by_examples():
    """Down to a replica without any, of which they would not be numbers."""
    x, y = testing.data(17)
    # Without learning, the layer before the normalization stays as it is.
    fit = {"x": x, "y": y, "batch_size": 8, "epochs": 1}
    optimizer = functools.partial(keras.optimizers.SGD, 0.0)
    model, _ = replicated(testing.full_net, sam(), optimizer, fit=fit)
    x = model.model.get_layer("hidden")(x).numpy()
    mean, variance = 0.0, 1.0
    for parts in (x[:4], x[4:8]), (x[8:12], x[12:16]), (x[16:],):
        rows = [len(part) for part in parts]
        means = np.average([p.mean(0) for p in parts], 0, rows)
        variances = np.average([p.var(0) for p in parts], 0, rows)
        mean = 0.99 * mean + 0.01 * means
        variance = 0.99 * variance + 0.01 * variances
    assert_close([v.numpy() for v in statistics(model)], [mean, variance])


# Without sync: each replica climbs on its own examples.


@every_climb
def test_replicas_take_the_mean_of_their_climbs(climb):
    wrap = sam(**climb)
    assert_close(step_on_two(wrap), mean_of_steps(wrap))


SCALED = {
    "dynamic": lambda: keras.optimizers.LossScaleOptimizer(SGD()),
    "factor": lambda: SGD(loss_scale_factor=512.0),
}


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("optimizer", SCALED)
def test_climb_does_not_see_the_units_of_keras(optimizer, sync):
    wrap = sam(direction=directions.Unnormalized(), sync_perturbations=sync)
    expected = step_on_one(wrap) if sync else mean_of_steps(wrap)
    assert_close(step_on_two(wrap, optimizer=SCALED[optimizer]), expected)


def test_replicas_are_batch_splits():
    """With dropout: a strategy gives all replicas the same mask."""
    fit = {"batch_size": 8}
    ours, _ = replicated(testing.full_net, sam(ascent_steps=2), adam, fit=fit)
    splits, _ = testing.train(
        testing.full_net,
        sam(ascent_steps=2, num_batch_splits=2),
        adam,
        fit=fit,
    )
    assert_replicas_agree(ours.variables)
    pairs = zip(ours.variables, splits.variables, strict=True)
    for one, two in pairs:
        # Adam divides by the root of squares, which enlarges roundings.
        assert_close([one.numpy()], [two.numpy()], atol=1e-5)


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(
    "make", [testing.dense_net, functools.partial(norm_net, None, None)]
)
def test_empty_replica_does_not_move(make, sync):
    wrap = sam(ascent_steps=2, sync_perturbations=sync)
    x, y = testing.data(1)
    fit = {"x": x, "y": y, "epochs": 1}
    ours, _ = replicated(make, wrap, keras.optimizers.SGD(2.0), fit=fit)
    # Of the mean over replicas, an empty one halves the length.
    alone, _ = testing.train(make, wrap, keras.optimizers.SGD(1.0), fit=fit)
    assert_close(
        [w.numpy() for w in ours.trainable_variables],
        [w.numpy() for w in alone.trainable_variables],
    )


# With sync: one device with the whole batch.


@pytest.mark.parametrize(
    "climb",
    [
        *CLIMBS[:12],
        {"direction": directions.Eigen(0.4, period=1, iterations=2)},
        {"descent": descents.EigenCorrected(0.4, period=1, iterations=2)},
    ],
    ids=_name,
)
def test_synced_replicas_are_one_device(climb):
    wrap = sam(**climb, sync_perturbations=True)
    assert_close(step_on_two(wrap), step_on_one(wrap))


# The optimizer's part: on the mean over replicas.


def several_optimizers():
    clips_norm, clips_value = SGD(clipnorm=0.1), SGD(clipvalue=0.02)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(clips_value, {"hidden/.*": clips_norm})
    )


CLIPPING = {
    "norm": functools.partial(SGD, clipnorm=0.1),
    "global norm": functools.partial(SGD, global_clipnorm=0.1),
    "value": functools.partial(SGD, clipvalue=0.02),
}
if hasattr(keras.optimizers, "MultiOptimizer"):  # Not before Keras 3.15.
    CLIPPING["several"] = several_optimizers


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("clipping", CLIPPING)
def test_mean_gradient_is_clipped(clipping, scaled):
    def optimizer():
        inner = CLIPPING[clipping]()
        return keras.optimizers.LossScaleOptimizer(inner) if scaled else inner

    split = sam(num_batch_splits=2)
    expected = step_on_one(split, optimizer=CLIPPING[clipping])
    assert_close(step_on_two(sam(), optimizer=optimizer), expected)
    assert np.abs(step_on_one(split)[0] - expected[0]).max() > 0.01


def test_clipping_without_a_climb_is_that_of_one_device():
    clipped = functools.partial(SGD, global_clipnorm=0.1)
    ours = step_on_two(sam(ascent_steps=0), optimizer=clipped)
    plain = step_on_one(lambda model: model, optimizer=clipped)
    assert_close(ours, plain)


@pytest.mark.parametrize(
    ("optimizer", "arguments"),
    [
        (
            {"global_clipnorm": 0.1, "weight_decay": 0.01},
            {"direction": testing.Averaged()},
        ),
        pytest.param(
            {"clipvalue": 0.01, "use_ema": True},
            {"sync_perturbations": True},
            marks=testing.ALSO,
        ),
    ],
)
def test_replicas_stay_identical_for_1000_steps(optimizer, arguments):
    x, y = testing.data(200)
    model, _ = replicated(
        testing.full_net,
        sam(**arguments),
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(**optimizer), dynamic_growth_steps=50
        ),
        fit={"x": x, "y": y, "batch_size": 2, "epochs": 10},
        steps_per_execution=25,
    )
    assert model.optimizer.iterations.numpy() > 800
    assert_replicas_agree(model.variables + model.optimizer.variables)


# What replicas do together only now and then.


def trained_weights(optimizer, strategy, **arguments):
    x, y = testing.data(40)
    fit = {"x": x, "y": y, "batch_size": 8, "epochs": 2}
    with strategy.scope():
        model, _ = testing.train(
            testing.dense_net, sam(**arguments), optimizer, fit=fit
        )
    return model


NOW_AND_THEN = {
    "accumulation": {"gradient_accumulation_steps": 3},
    "clipped accumulation": {
        "gradient_accumulation_steps": 2,
        "global_clipnorm": 0.1,
        "weight_decay": 0.1,
    },
    "averages": {"use_ema": True, "ema_overwrite_frequency": 3},
    "both": {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 2,
    },
}


@pytest.mark.parametrize(
    "scaled", testing.thinned([False, True], lambda i, scaled: not scaled)
)
@pytest.mark.parametrize("setting", NOW_AND_THEN)
def test_now_and_then_equals_one_device(setting, scaled):
    def optimizer():
        inner = keras.optimizers.Adam(0.05, **NOW_AND_THEN[setting])
        return keras.optimizers.LossScaleOptimizer(inner) if scaled else inner

    ours = trained_weights(optimizer, STRATEGY, sync_perturbations=True)
    alone = trained_weights(optimizer, NONE, sync_perturbations=True)
    # Adam divides by the root of squares, which enlarges roundings.
    pairs = zip(
        [*ours.variables, *ours.optimizer.variables],
        [*alone.variables, *alone.optimizer.variables],
        strict=True,
    )
    for one, two in pairs:
        np.testing.assert_allclose(one, two, atol=2e-5, err_msg=one.path)
    assert_replicas_agree([*ours.variables, *ours.optimizer.variables])


class Overwriting(keras.optimizers.SGD):
    """Overwrites variables by a method of its own, since Keras 3.16."""

    calls = []

    def _backend_maybe_overwrite_model_variables(self, trainable_variables):
        self.calls.append(len(trainable_variables))
        super()._backend_maybe_overwrite_model_variables(trainable_variables)


@pytest.mark.skipif(
    _keras_internals.overwriting(keras.optimizers.SGD()) is None,
    reason="Keras before 3.16 has no such method.",
)
def test_an_optimizer_that_overwrites_by_itself():
    def optimizer():
        return Overwriting(0.1, use_ema=True, ema_overwrite_frequency=3)

    x, y = testing.data(16)
    fit = {"x": x, "y": y, "batch_size": 8, "epochs": 2}
    Overwriting.calls.clear()
    replicated(testing.dense_net, sam(), optimizer, fit=fit, run_eagerly=True)
    assert Overwriting.calls == 2 * 4 * [4]  # Replicas, steps, variables.


class Holder(keras.optimizers.Optimizer):
    """Hands all to another optimizer, and counts."""

    def __init__(self):
        super().__init__(0.0)
        self.base = keras.optimizers.SGD(0.1, momentum=0.9)
        self.calls = 0

    def build(self, variables):
        super().build(variables)
        self.base.build(variables)

    def apply(self, grads, trainable_variables=None):
        self.calls += 1
        self.base.apply(grads, trainable_variables)


def test_an_optimizer_that_holds_another():
    setting = {"optimizer": Holder, "run_eagerly": True}
    plain = replicated(testing.dense_net, **setting)
    ours = replicated(testing.dense_net, sam(ascent_steps=0), **setting)
    testing.assert_same(plain, ours)
    assert ours[0].optimizer.calls == plain[0].optimizer.calls == 12


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_statistics_of_another_type(dtype):
    """Half precision has its statistics summed in float32."""
    keras.config.set_dtype_policy(dtype)
    try:
        model, history = replicated(
            functools.partial(norm_net, None, None), sam(), metrics=None
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(history["loss"]).all()
    assert_replicas_agree(model.variables)


def test_loss_of_an_empty_replica_counts_for_nothing():
    def mean_loss(y, y_pred):
        return ops.mean(testing.cross_entropy()(y, y_pred))

    x, y = testing.data(17)
    _, history = replicated(
        testing.dense_net,
        sam(),
        loss=mean_loss,
        fit={"x": x, "y": y, "batch_size": 8},
    )
    assert np.isfinite(history["loss"]).all()


def test_the_optimizer_stays_the_users():
    optimizer = functools.partial(SGD, gradient_accumulation_steps=2)
    model, _ = replicated(testing.dense_net, sam(), optimizer)
    assert type(model.optimizer) is keras.optimizers.SGD
    assert model.optimizer.iterations.numpy() == 3


# An overflow on one replica: all skip the step.


class Cliff(keras.layers.Layer):
    """Infinite for examples above 100, but only away from where it started."""

    def build(self, inputs_shape, examples_shape):
        self.w = self.add_weight(shape=(8,), initializer="ones")

    def call(self, inputs, examples):
        moved = ops.max(ops.abs(self.w - 1.0)) > 1e-3
        marked = ops.max(examples, axis=1, keepdims=True) > 100.0
        return inputs * ops.where(marked & moved, np.inf, self.w)


def cliff_net():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3)(Cliff()(x, inputs)))


def train_cliff(rows, x):
    return replicated(
        cliff_net,
        sam(direction=testing.Averaged()),
        lambda: keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(1e-4, momentum=0.9, clipvalue=1.0)
        ),
        fit={"x": x[rows], "y": testing.data()[1][rows], "epochs": 1},
    )[0]


@functools.cache
def without_second_batch():
    return train_cliff([*range(8), *range(16, 24)], testing.data()[0])


@pytest.mark.parametrize("row", [9, 14], ids=["replica 0", "replica 1"])
@pytest.mark.parametrize("value", [np.inf, 1e3], ids=["clean", "climb"])
def test_overflow_on_one_replica_skips_the_step_on_all(row, value):
    x, _ = testing.data()
    x[row] = value
    model = train_cliff(slice(24), x)
    expected = without_second_batch()
    scale = model.optimizer.dynamic_scale.numpy()
    assert scale == expected.optimizer.dynamic_scale.numpy() / 2
    assert_replicas_agree(model.variables + model.optimizer.variables)
    assert len(memory(model)) == 5
    for one, two in zip(model.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy(), one.path)
        assert np.isfinite(one.numpy()).all()


# Inner XLA, which Keras itself does not offer on several replicas.


def embedding_net():
    inputs = keras.Input((6,))
    x = keras.layers.Embedding(4, 5)(ops.cast(ops.abs(inputs), "int32"))
    x = keras.layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, keras.layers.Dense(3)(x))


@pytest.mark.parametrize(
    ("make", "sync"),
    [(norm_net, False), (embedding_net, False), (testing.dense_net, True)],
)
def test_xla_changes_nothing(make, sync):
    """But roundings: it fuses operations."""
    on, off = (
        step_on_two(
            sam(ascent_steps=2, sync_perturbations=sync, xla=xla), make=make
        )
        for xla in (True, False)
    )
    assert_close(on, off)


# Memory.


@pytest.mark.parametrize("sync", [False, True])
def test_memory_is_the_mean_over_replicas(sync):
    wrap = sam(direction=testing.Averaged(), sync_perturbations=sync)
    x, y = testing.data(8)
    fit = {"x": x, "y": y, "epochs": 1}
    model, _ = replicated(testing.dense_net, wrap, fit=fit)
    keras.utils.set_random_seed(1)
    initial = testing.dense_net()
    with tf.GradientTape() as tape:
        loss = testing.cross_entropy()(y, initial(x))
    grads = tape.gradient(loss, initial.trainable_weights)
    held = memory(model)
    assert_replicas_agree(held)
    assert_close([m.numpy() for m in held], [g.numpy() / 4 for g in grads])


# Scopes.

ONE = tf.distribute.OneDeviceStrategy("CPU:0")
ANOTHER = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@functools.cache
def trained_on(strategy, epochs=2):
    return replicated(
        testing.full_net,
        sam(direction=testing.Averaged()),
        adam,
        strategy=strategy,
        fit={"epochs": epochs},
    )


@pytest.mark.parametrize(
    ("make", "made", "wrapped"),
    [
        (testing.dense_net, STRATEGY, NONE),
        (testing.dense_net, NONE, STRATEGY),
        (testing.dense_net, STRATEGY, ANOTHER),
        (testing.dense_net, ONE, STRATEGY),
        (keras.Sequential, STRATEGY, NONE),
    ],
)
def test_model_of_another_scope_is_refused(make, made, wrapped):
    with made.scope():
        model = make()
    with (
        wrapped.scope(),
        pytest.raises(ValueError, match="strategy scope that it was made in"),
    ):
        keras_sam.SAM(model)


def test_another_strategy_is_refused():
    central = tf.distribute.experimental.CentralStorageStrategy(["CPU:0"])
    with central.scope():
        model = testing.dense_net()
        with pytest.raises(ValueError, match="Received: CentralStorage"):
            keras_sam.SAM(model)


@pytest.mark.parametrize(
    "strategy", [ONE, tf.distribute.MirroredStrategy(["CPU:0"])]
)
def test_strategy_of_one_device_is_no_strategy(strategy):
    """But for roundings: functions for replicas are not those for one."""
    ours = trained_on(strategy)
    testing.assert_same(ours, trained_on(NONE), ATOL)


# Saving.


@pytest.mark.parametrize("there", [True, False])
def test_model_moves_between_strategies(tmp_path, there):
    old, new = (STRATEGY, NONE) if there else (NONE, STRATEGY)
    model, _ = trained_on(old)
    model.save(tmp_path / "model.keras")
    with new.scope():
        loaded = keras.saving.load_model(tmp_path / "model.keras")
    saved = testing.values(model)
    testing.assert_same((model, {}), (loaded, {}))
    x, y = testing.data()
    loaded.fit(x, y, batch_size=8, verbose=0)
    moved = testing.values(loaded)
    assert any(np.any(saved[name] != moved[name]) for name in saved)


def test_resumed_training_is_uninterrupted_training(tmp_path):
    whole, _ = trained_on(STRATEGY)
    first, _ = trained_on(STRATEGY, epochs=1)
    first.save(tmp_path / "model.keras")
    x, y = testing.data()
    with STRATEGY.scope():
        resumed = keras.saving.load_model(tmp_path / "model.keras")
        resumed.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    testing.assert_same((whole, {}), (resumed, {}))
    assert_replicas_agree(resumed.trainable_variables)


# Communication.


@pytest.fixture
def reductions(monkeypatch):
    """A list that gets the size of every tensor that a replica reduces."""
    found = []
    extended = tf.distribute.StrategyExtended
    original = extended.batch_reduce_to

    def counted(self, op, pairs, *args, **kwargs):
        for replica in range(2):
            values = [value.values[replica] for value, _ in pairs]
            found.append([t.shape.num_elements() for t in values])
        return original(self, op, pairs, *args, **kwargs)

    monkeypatch.setattr(extended, "batch_reduce_to", counted)
    return found


GRADIENTS = [6 * 8, 8, 8 * 3, 3]


def clipped_and_scaled():
    return keras.optimizers.LossScaleOptimizer(SGD(global_clipnorm=0.1))


@pytest.mark.parametrize(
    ("wrap", "optimizer", "expected"),
    [
        (lambda model: model, SGD, [GRADIENTS]),
        (sam(ascent_steps=0), SGD, [GRADIENTS]),
        (sam(ascent_steps=1), SGD, [GRADIENTS]),
        (sam(ascent_steps=3), SGD, [GRADIENTS]),
        (sam(ascent_steps=3), clipped_and_scaled, [GRADIENTS]),
        (
            sam(ascent_steps=3, direction=testing.Averaged()),
            SGD,
            [GRADIENTS + GRADIENTS],
        ),
        # The loss of each point is what a direction or descent may ask for.
        (
            sam(ascent_steps=3, sync_perturbations=True),
            clipped_and_scaled,
            [GRADIENTS + [1]] * 4,
        ),
    ],
)
def test_gradients_are_reduced_once(reductions, wrap, optimizer, expected):
    """By each of two replicas, which call in turn."""
    step_on_two(wrap, optimizer=optimizer)
    assert sorted(reductions) == sorted(expected * 2)


def test_statistics_are_reduced_with_the_gradients(reductions):
    step_on_two(sam(ascent_steps=3), make=norm_net)
    assert reductions == [[6 * 8, 8, 8, 8, 8 * 3, 3, 8, 8, 1]] * 2


# Evaluation.


def test_evaluate_and_predict_are_those_of_one_device():
    model, _ = replicated(stateless_net, sam())
    alone = stateless_net()
    alone.set_weights(model.model.get_weights())
    alone.compile(loss=testing.cross_entropy(), metrics=["accuracy"])
    x, y = testing.data(20)
    ours = model.evaluate(x, y, batch_size=8, verbose=0)
    assert_close(ours, alone.evaluate(x, y, batch_size=8, verbose=0))
    assert_close(model.predict(x, verbose=0), alone.predict(x, verbose=0))


# What Keras itself cannot do on several replicas.


def compiled(**compiling):
    with STRATEGY.scope():
        model = keras_sam.SAM(testing.full_net(), rho=0.1, ascent_steps=2)
        model.compile("sgd", testing.cross_entropy(), **compiling)
    return model


def fitted(**compiling):
    """Five batches an epoch, and validation."""
    validation = {"validation_data": testing.data(40), "batch_size": 8}
    with STRATEGY.scope():
        return testing.train(
            testing.full_net,
            lambda model: keras_sam.SAM(model, rho=0.1, ascent_steps=2),
            fit={"x": testing.data(40)[0], "y": testing.data(40)[1]}
            | validation,
            **compiling,
        )


@pytest.fixture(scope="module")
def step_by_step():
    return fitted()


@pytest.mark.parametrize("steps", [2, 3, 8])
def test_steps_per_execution(steps, step_by_step):
    """But for roundings: the graph of a step is a part of another."""
    several = fitted(steps_per_execution=steps)
    testing.assert_same(step_by_step, several, ATOL)


def test_steps_per_execution_is_what_callbacks_see():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: seen.append(step)
    )
    model = compiled(steps_per_execution=2)
    x, y = testing.data(40)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[callback])
    assert seen == [1, 3, 5]


def _as_dataset(x, y, size):
    dataset = tf.data.Dataset.from_tensor_slices((x, y))
    return dataset.batch(size, drop_remainder=True)


def test_batch_smaller_than_the_replicas_is_an_error():
    """Or else some never see an example, and each step is a part of one."""
    model = compiled()
    x, y = testing.data(5)
    for call in (
        lambda: model.fit(x, y, batch_size=1),
        lambda: model.fit(x, y, 1),
        lambda: model.fit(_as_dataset(x, y, 1)),
    ):
        with pytest.raises(ValueError, match="each of the 2. Received.* of 1"):
            call()
    # Keras cannot add regularizers to the loss of no examples.
    with STRATEGY.scope():
        plain = keras_sam.SAM(testing.dense_net())
        plain.compile("sgd", testing.cross_entropy())
    plain.evaluate(x, y, batch_size=1, verbose=0)
    # The last batch has one example, and so the second replica none.
    model.fit(x, y, batch_size=2, verbose=0)
    model.fit(_as_dataset(x, y, 2), verbose=0)


def test_jit_compile_compiles_the_evaluations():
    """Without dropout, which XLA draws otherwise; it also sums otherwise."""

    def losses(**compiling):
        with STRATEGY.scope():
            return testing.train(
                testing.dense_net,
                lambda model: keras_sam.SAM(model, rho=0.1),
                **compiling,
            )

    testing.assert_same(losses(), losses(jit_compile=True), atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
