"""Tests that a wrapper comes back from a file as it was saved.

Resumed training is the uninterrupted one, to the bit.
"""

import copy
import dataclasses
import functools
import inspect
import json
import pickle
import sys

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from tests.support import testing  # isort: skip

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import radii
from keras_sam import samples
from keras_sam import starts
from tests.support import engine

SCHEDULES = keras.optimizers.schedules
register = keras.saving.register_keras_serializable("saving_test")


@register
@dataclasses.dataclass(frozen=True)
class Inertia(keras_sam.Part):
    """A direction that remembers: a running sum of gradients, and its age."""

    decay: float = 0.5

    def init(self, params):
        return {
            "sum": [ops.zeros_like(w) for w in params],
            "age": ops.zeros(()),
        }

    def __call__(self, grads, params, memory):
        total = [
            self.decay * old + new
            for old, new in zip(memory["sum"], grads, strict=True)
        ]
        return total, {"sum": total, "age": memory["age"] + 1}


@register
def is_kernel(variable):
    return variable.name == "kernel"


@register
class Late(keras.Model):
    """Has no variables before the first batch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.logits = layers.Dense(3)

    def call(self, inputs, training=None):
        return self.logits(self.drop(self.norm(self.hidden(inputs))))


def net():
    """Returns a model with batch statistics and two kinds of seeds."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.3, seed=7),
            layers.Dropout(0.3),
            layers.Dense(3),
        ]
    )


def compiled(arguments, make=net):
    """Returns a wrapper as another process would make it, seeds included."""
    keras.utils.set_random_seed(2)
    sam = keras_sam.SAM(make(), **arguments)
    sam.compile("adam", testing.cross_entropy(), metrics=["accuracy"])
    return sam


def trained(arguments, make=net, optimizer="adam", **fit):
    wrap = functools.partial(keras_sam.SAM, **arguments)
    return testing.train(make, wrap, optimizer, fit)


class At(keras.callbacks.Callback):
    """Calls a function of the model at the end of the first epoch."""

    def __init__(self, function):
        super().__init__()
        self._function = function

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self._function(self.model)


def interrupted(arguments, function, make=net, optimizer="adam"):
    """Trains for two epochs, calls a function of the model after the first.

    Returns:
        What `trained` does, what the function does.
    """
    found = []
    at = At(lambda sam: found.append(function(sam)))
    whole = trained(arguments, make, optimizer, callbacks=[at])
    return whole, *found


def resume(sam, **fit):
    """Trains for the second of two epochs; returns what `trained` does."""
    x, y = testing.data()
    fit = {"batch_size": 8, "epochs": 2, "initial_epoch": 1, **fit}
    return sam, sam.fit(x, y, shuffle=False, verbose=0, **fit).history


def assert_resumed(whole, resumed):
    """Asserts that weights, state, slots and the last epoch's logs agree."""
    sam, history = whole
    history = {name: values[-1:] for name, values in history.items()}
    testing.assert_same((sam, history), resumed)
    for a, b in zip(sam.weights, resumed[0].weights, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=a.path)


def saved_and_loaded(sam, tmp_path):
    sam.save(tmp_path / "sam.keras")
    return keras.saving.load_model(tmp_path / "sam.keras")


# Training goes on.

RESUMED = {
    "several steps": {"rho": 0.3, "ascent_steps": 2},
    "schedule": {"rho": SCHEDULES.CosineDecay(0.5, 6)},
    "memory": {"rho": 0.3, "direction": Inertia()},
    "splits": {"rho": 0.3, "num_batch_splits": 2, "direction": Inertia()},
}


@pytest.mark.parametrize("name", RESUMED)
def test_resume_from_a_model(name, tmp_path):
    path = tmp_path / "sam.keras"
    whole, _ = interrupted(RESUMED[name], lambda sam: sam.save(path))
    assert_resumed(whole, resume(keras.saving.load_model(path)))


@pytest.mark.parametrize("name", RESUMED)
def test_resume_from_weights(name, tmp_path):
    path = tmp_path / "sam.weights.h5"
    whole, _ = interrupted(RESUMED[name], lambda sam: sam.save_weights(path))
    sam = compiled(RESUMED[name])
    sam.optimizer.build(sam.trainable_variables)
    sam.load_weights(path)
    assert_resumed(whole, resume(sam))


@pytest.mark.parametrize(
    "splits", testing.thinned([None, 2], lambda i, splits: splits is None)
)
@pytest.mark.parametrize(
    "name",
    # The files are the same on JAX, where each test compiles for seconds.
    testing.thinned(
        testing.STATEFUL, lambda i, _: not engine.JAX or i % 4 == 0
    ),
)
def test_resume_with_each_part_that_remembers(name, splits, tmp_path):
    arguments = {"rho": 0.3, **testing.STATEFUL[name]}
    arguments["num_batch_splits"] = splits

    def save(sam):
        sam.save(tmp_path / "sam.keras")
        return sam.climbs

    whole, climbs = interrupted(arguments, save)
    loaded = keras.saving.load_model(tmp_path / "sam.keras")
    assert loaded.climbs == climbs
    assert_resumed(whole, resume(loaded))


@pytest.mark.parametrize("arguments", [{}, {"direction": Inertia()}])
def test_resume_with_a_model_built_late(arguments, tmp_path):
    path = tmp_path / "sam.keras"
    whole, _ = interrupted(arguments, lambda sam: sam.save(path), Late)
    assert_resumed(whole, resume(keras.saving.load_model(path)))


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_resume_keeps_a_radius_that_was_set(ending, tmp_path):
    arguments = {"rho": radii.Settable(0.1)}
    path = tmp_path / f"sam{ending}"

    def set_and_save(sam):
        sam.rho = 0.4
        sam.save(path) if ending == ".keras" else sam.save_weights(path)

    whole, _ = interrupted(arguments, set_and_save)
    if ending == ".keras":
        sam = keras.saving.load_model(path)
    else:
        sam = compiled(arguments)
        sam.optimizer.build(sam.trainable_variables)
        sam.load_weights(path)
    assert sam.rho == np.float32(0.4)
    assert_resumed(whole, resume(sam))


def test_resume_keeps_the_loss_scale(tmp_path):
    def optimizer():
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.Adam(), dynamic_growth_steps=2
        )

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        path = tmp_path / "sam.keras"
        whole, _ = interrupted(
            {}, lambda sam: sam.save(path), optimizer=optimizer
        )
    finally:
        keras.config.set_dtype_policy(before)
    loaded = keras.saving.load_model(path)
    assert float(loaded.optimizer.dynamic_scale) == 2.0**16
    assert loaded.dtype_policy.name == "mixed_float16"
    assert_resumed(whole, resume(loaded))


def test_resume_from_a_checkpoint_callback(tmp_path):
    callback = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    whole = trained(RESUMED["memory"], callbacks=[callback])
    loaded = keras.saving.load_model(tmp_path / "1.keras")
    assert_resumed(whole, resume(loaded))


class Interrupt(keras.callbacks.Callback):
    """Fails in the middle of the second epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1:
            raise InterruptedError


def test_resume_from_a_backup(tmp_path):
    arguments = RESUMED["memory"]
    backup = keras.callbacks.BackupAndRestore
    with pytest.raises(InterruptedError):
        trained(arguments, callbacks=[backup(tmp_path), Interrupt()])
    resumed = resume(
        compiled(arguments), initial_epoch=0, callbacks=[backup(tmp_path)]
    )
    assert_resumed(trained(arguments), resumed)


# What is in the file.

ARGUMENTS = {
    "rho": [0.3, SCHEDULES.CosineDecay(0.5, 6)],
    "num_batch_splits": [3],
    "ascent_steps": [3],
    "radius": ["matched"],
    "direction": [
        directions.Adaptive(0.2),
        directions.Random(3),
        directions.Sparse(directions.DynamicMask(9), period=3),
        Inertia(0.1),
    ],
    "descent": [descents.Mean()],
    "cadence": [cadences.Threshold(9), cadences.Every(2, 1, 7)],
    "start": [starts.Random(3), starts.Momentum(0.5)],
    "ascent_samples": [samples.Drawn(0.5, 3)],
    "descent_samples": [samples.Rising(0.25)],
    "perturb": ["kernel", is_kernel],
    "sync_perturbations": [True],
    "track": [True],
    "xla": [True],
    "name": ["mine"],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in ARGUMENTS.items() for value in values],
)
def test_argument_is_saved(name, value, tmp_path):
    sam = keras_sam.SAM(testing.dense_net(), **{name: value})
    loaded = saved_and_loaded(sam, tmp_path)
    assert json.dumps(loaded.get_config()) == json.dumps(sam.get_config())
    value = keras.saving.serialize_keras_object(value)
    got = keras.saving.serialize_keras_object(getattr(loaded, name))
    default = getattr(keras_sam.SAM(testing.dense_net()), name)
    assert got == value != keras.saving.serialize_keras_object(default)


def test_every_argument_is_tested():
    parameters = inspect.signature(keras_sam.SAM).parameters
    assert set(parameters) == {"model", *ARGUMENTS}


def test_config_makes_a_clone():
    sam = keras_sam.SAM(net(), rho=0.3, direction=Inertia(), perturb=is_kernel)
    clone = keras_sam.SAM.from_config(sam.get_config())
    assert clone.get_config() == sam.get_config()
    assert clone.model is not sam.model


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copies_of_parts_are_equal(duplicate):
    for part in (directions.Adaptive(0.2), descents.Mean(), Inertia(0.1)):
        assert duplicate(part) == part


def test_pickle():
    sam, _ = trained(RESUMED["memory"])
    loaded = pickle.loads(pickle.dumps(sam))
    testing.assert_same((sam, {}), (loaded, {}))


class Stairs(SCHEDULES.LearningRateSchedule):
    """A schedule that Keras cannot save."""

    def __call__(self, step):
        return ops.where(step < 3, 0.1, 0.2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("perturb", lambda variable: True),
        ("direction", lambda grads, params: grads),
        ("descent", lambda clean, path: clean.grads),
        ("rho", Stairs()),
    ],
)
def test_what_cannot_be_saved_is_an_error(name, value, tmp_path):
    sam, _ = trained({name: value}, epochs=1)
    with pytest.raises(ValueError, match=f"`{name}`"):
        sam.save(tmp_path / "sam.keras")
    assert not list(tmp_path.iterdir())


# The inner model alone.


def test_inner_model_is_saved_as_a_plain_one(tmp_path):
    sam, _ = trained(RESUMED["memory"])
    sam.model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x, _ = testing.data()
    np.testing.assert_array_equal(loaded.predict(x), sam.predict(x))
    assert not isinstance(loaded, keras_sam.SAM)


@pytest.mark.skipif(engine.JAX, reason="A SavedModel needs TensorFlow.")
def test_inner_model_is_exported(tmp_path):
    sam, _ = trained({})
    sam.export(tmp_path / "model", verbose=False)
    loaded = engine.tf.saved_model.load(tmp_path / "model")
    x, _ = testing.data()
    # Compiled in another way.
    np.testing.assert_allclose(loaded.serve(x), sam.predict(x), atol=1e-6)


# Files of plain models.


def sequential():
    """Returns a model that is built by its first batch."""
    return keras.Sequential([layers.Dense(4), layers.Dropout(0.3)])


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
@pytest.mark.parametrize("make", [net, Late])
def test_a_plain_file_is_loaded(make, ending, tmp_path):
    path = tmp_path / f"model{ending}"
    x, y = testing.data()
    plain = make()
    plain.compile("adam", testing.cross_entropy())
    plain.train_on_batch(x, y)
    plain.save(path) if ending == ".keras" else plain.save_weights(path)
    sam = keras_sam.SAM(make(), direction=Inertia())
    sam.build(x.shape)
    sam.compile("adam", testing.cross_entropy())
    sam.optimizer.build(sam.trainable_variables)
    sam.load_weights(path, skip_mismatch=True)
    pairs = zip(
        [*plain.get_weights(), *plain.optimizer.variables],
        [*sam.model.get_weights(), *sam.optimizer.variables],
        strict=True,
    )
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", [net, sequential])
def test_a_plain_model_loads_the_file_of_a_wrapper(make, tmp_path):
    x, _ = testing.data()
    sam = keras_sam.SAM(make(), direction=Inertia())
    sam.build(x.shape)
    sam.save_weights(tmp_path / "sam.weights.h5")
    plain = make()
    plain(x)
    plain.load_weights(tmp_path / "sam.weights.h5")
    pairs = zip(plain.get_weights(), sam.model.get_weights(), strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


def test_a_wrapper_loads_its_file_into_a_model_without_memory(tmp_path):
    x, _ = testing.data()
    sam = keras_sam.SAM(Late(), direction=Inertia())
    sam(x)
    sam.save_weights(tmp_path / "sam.weights.h5")
    plain = Late()
    plain(x)
    keras_sam.SAM(plain).load_weights(tmp_path / "sam.weights.h5")
    pairs = zip(plain.get_weights(), sam.model.get_weights(), strict=True)
    for a, b in pairs:
        np.testing.assert_array_equal(a, b)


# TensorFlow's own checkpoints.


@pytest.mark.skipif(engine.JAX, reason="They are TensorFlow's.")
def test_resume_from_a_checkpoint_of_tensorflow(tmp_path):
    tf = engine.tf
    # Without dropout: Keras hides its seeds from TensorFlow.
    arguments, make = RESUMED["memory"], testing.dense_net
    half, _ = trained(arguments, make, epochs=1)
    checkpoint = tf.train.Checkpoint(model=half, optimizer=half.optimizer)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=1)
    manager.save()
    sam = compiled(arguments, make)
    sam.optimizer.build(sam.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=sam, optimizer=sam.optimizer)
    checkpoint.restore(manager.latest_checkpoint).assert_consumed()
    assert_resumed(trained(arguments, make), resume(sam))


@keras.saving.register_keras_serializable(package="tests")
class LateNorm(keras.Model):
    """A model that is built by its first batch, with layers of known names."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.logits = keras.layers.Dense(3, name="logits")

    def call(self, inputs):
        return self.logits(self.norm(inputs))


def moving(sam):
    return [variable.name for variable in sam.perturbed_variables]


@pytest.mark.parametrize("perturb", ["^norm/", "norm", "^logits/kernel$"])
def test_what_moves_does_not_depend_on_when_a_model_was_built(
    perturb, tmp_path
):
    expected = ["gamma", "beta"] if "norm" in perturb else ["kernel"]
    net = LateNorm(name="norm_free")
    sam = keras_sam.SAM(net, perturb=perturb)
    sam.compile("sgd", testing.cross_entropy())
    sam.train_on_batch(*testing.data())
    assert moving(sam) == expected
    sam.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert moving(loaded) == expected
    net = LateNorm(name="norm_free")
    net(testing.data()[0])
    assert moving(keras_sam.SAM(net, perturb=perturb)) == expected


@pytest.mark.parametrize("more", [False, True])
def test_weights_of_a_model_with_other_dropouts_are_loaded(more, tmp_path):
    def wrapped(dropouts):
        net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
        for _ in range(dropouts):
            net.add(keras.layers.Dropout(0.5))
        return keras_sam.SAM(net)

    saved, loaded = wrapped(1), wrapped(2 if more else 0)
    saved.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(saved.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
