"""Tests which variables a memory is for, in a process and in files.

Each training is eager, of one step: what changes is which variables there are.
"""

import pickle
import sys
import warnings

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from tests.support import testing  # isort: skip

import keras_sam
from keras_sam import cadences
from keras_sam import directions
from keras_sam import starts
from tests.support import engine

MOMENTUM = {"start": starts.Momentum(), "ascent_steps": 0}

# Of a test that goes on training right after it has frozen layers.
FREEZES = pytest.mark.skipif(
    engine.JAX,
    reason="On JAX freezing needs another compilation: tests/jax/loops_test",
)


@keras.saving.register_keras_serializable("memory_weights_test")
class Net(keras.Model):
    """A model whose config does not hold what is frozen."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(4, activation="tanh")
        self.logits = layers.Dense(3)

    def call(self, inputs):
        return self.logits(self.hidden(inputs))


def built(make=Net):
    keras.utils.set_random_seed(3)
    model = make()
    model(testing.data()[0])
    return model


def compiled(model, **arguments):
    sam = keras_sam.SAM(model, **(arguments or MOMENTUM))
    sam.compile(
        keras.optimizers.SGD(0.1), testing.cross_entropy(), run_eagerly=True
    )
    return sam


def fit(sam):
    sam.fit(*testing.data(), shuffle=False, batch_size=24, verbose=0)
    return sam


def memory(sam):
    """Returns the values of the memory."""
    inner = {id(w) for w in sam.model.weights}
    return [np.array(w.value) for w in sam.weights if id(w) not in inner]


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def copied(sam, path):
    sam.save(path)
    return keras.saving.load_model(path)


# In a process.


def test_layers_are_frozen_between_wrapping_and_training():
    early, late = built(), built()
    early.hidden.trainable = False
    first = fit(compiled(early))
    second = compiled(late)
    late.hidden.trainable = False
    fit(second)
    assert_equal(first.get_weights(), second.get_weights())
    assert [m.shape for m in memory(second)] == [(4, 3), (3,)]


def test_a_memory_starts_anew_with_a_compilation_after_freezing():
    sam = fit(compiled(built()))
    sam.model.hidden.trainable = False
    with pytest.raises(ValueError, match="Call `compile` again"):
        fit(sam)
    new = keras_sam.SAM(built(), **MOMENTUM)
    new.model.set_weights(sam.model.get_weights())
    new.model.hidden.trainable = False
    for wrapper in (sam, new):
        wrapper.compile("sgd", testing.cross_entropy(), run_eagerly=True)
        fit(wrapper)
    assert_equal(memory(sam), memory(new))
    assert_equal(sam.model.get_weights(), new.model.get_weights())


class Freeze(keras.callbacks.Callback):
    """Freezes a layer and compiles again, within `fit`."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.model.hidden.trainable = False
            self.model.compile("sgd", testing.cross_entropy())
            self.model.make_train_function()


@pytest.mark.parametrize("inner", [True, False])
def test_a_memory_starts_anew_with_a_compilation_after_quantizing(inner):
    """Keras locks every layer that it quantizes, the memory too."""
    sam = fit(compiled(built()))
    model = sam.model if inner else sam
    model.quantize("int8")
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    fit(sam)
    trained = [tuple(v.shape) for v in sam.trainable_variables]
    assert [m.shape for m in memory(sam)] == trained


@FREEZES
def test_a_callback_freezes_layers():
    sam = compiled(built())
    sam.fit(*testing.data(), epochs=2, verbose=0, callbacks=[Freeze()])
    assert [m.shape for m in memory(sam)] == [(4, 3), (3,)]


def test_a_memory_stays_with_a_compilation():
    sam = fit(compiled(built()))
    kept = memory(sam)
    sam.compile("sgd", testing.cross_entropy())
    assert_equal(memory(sam), kept)


@FREEZES
def test_a_count_stays_whatever_is_frozen():
    sam = fit(compiled(built(), cadence=cadences.Every(2)))
    sam.model.hidden.trainable = False
    assert fit(sam).climbs == 1


class Weighted(keras_sam.SAM):
    """Trains the temperature of the softmax too, a weight of its own."""

    def __init__(self, *args, temperature=None, **kwargs):
        super().__init__(*args, **kwargs)
        if temperature is None:
            temperature = self.add_weight(shape=(), initializer="ones")
        self.temperature = temperature

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        del x, sample_weight, training
        return ops.mean(
            keras.losses.sparse_categorical_crossentropy(
                y, y_pred * self.temperature, from_logits=True
            )
        )


class Warm(Net):
    """A model that holds the weight itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.temperature = self.add_weight(shape=(), initializer="ones")


@pytest.mark.parametrize(
    "arguments",
    [
        MOMENTUM,
        {"direction": directions.Friendly()},
        {"cadence": cadences.Reuse(2)},
    ],
)
def test_a_subclass_has_weights_of_its_own(arguments):
    def trained(model, temperature):
        sam = Weighted(model, temperature=temperature, **arguments)
        sam.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        for _ in range(2):
            fit(sam)
        return sam

    own = trained(built(), None)
    warm = built(Warm)
    other = trained(warm, warm.temperature)
    # The sums over variables are in another order.
    np.testing.assert_allclose(own.temperature, warm.temperature, rtol=1e-5)
    assert float(own.temperature) != 1
    for a, b in zip(
        own.model.get_weights(), other.model.get_weights()[1:], strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


# In files.


def test_a_file_with_other_trained_variables(tmp_path):
    model = built()
    model.hidden.trainable = False
    sam = fit(compiled(model))
    with pytest.warns(UserWarning, match="memory starts anew") as found:
        loaded = copied(sam, tmp_path / "sam.keras")
    text = " ".join(str(warning.message) for warning in found)
    for part in ("`start`", "2 variables", "4 are trained now", "/kernel"):
        assert part in text
    assert_equal(loaded.model.get_weights(), model.get_weights())
    assert len(memory(fit(loaded))) == 4


@FREEZES
def test_a_memory_goes_on_once_the_same_layers_are_frozen(tmp_path):
    model = built()
    model.hidden.trainable = False
    sam = fit(compiled(model))
    with pytest.warns(UserWarning, match="memory starts anew"):
        loaded = copied(sam, tmp_path / "sam.keras")
    loaded.model.hidden.trainable = False
    assert_equal(memory(fit(loaded)), memory(fit(sam)))
    assert_equal(loaded.model.get_weights(), model.get_weights())


@pytest.mark.parametrize("all_of_it", [False, True])
def test_layers_are_frozen_after_training(all_of_it):
    sam = fit(compiled(testing.dense_net()))
    frozen = sam if all_of_it else sam.get_layer("hidden")
    frozen.trainable = False
    with pytest.warns(UserWarning, match="memory starts anew"):
        loaded = pickle.loads(pickle.dumps(sam))
    assert_equal(loaded.get_weights(), sam.get_weights())
    trained = [v.path for v in loaded.trainable_variables]
    assert trained == [v.path for v in sam.trainable_variables]
    assert len(trained) == (0 if all_of_it else 2)


def test_variables_are_known_by_their_places(tmp_path):
    # The layers have other names, and one model is built by its wrapper.
    path = tmp_path / "sam.weights.h5"
    sam = fit(compiled(Net()))
    sam.save_weights(path)
    other = compiled(built())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*memory")
        other.load_weights(path)
    assert_equal(memory(other), memory(sam))


def test_a_memory_of_another_part_starts_anew(tmp_path):
    path = tmp_path / "sam.weights.h5"
    fit(compiled(built())).save_weights(path)
    sam = compiled(built(), start=starts.Stale(), ascent_steps=0)
    with pytest.warns(UserWarning, match="Momentum, not of Stale"):
        sam.load_weights(path)
    assert not any(m.any() for m in memory(sam))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
