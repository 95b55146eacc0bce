"""A radius that a callback sets trains as a schedule of the same values."""

import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import directions
from keras_sam import radii
from tests.support import engine
from tests.support import testing

# Six steps of 8 examples each: two epochs of three.
RADII = [0.1, 0.3, 0.0, 0.2, 0.05, 0.4]


class Setting(keras.callbacks.Callback):
    """Sets the radius of each step."""

    def __init__(self, every=1):
        super().__init__()
        self._every = every

    def on_train_batch_begin(self, batch, logs=None):
        if batch % self._every == 0:
            self.model.rho = RADII[int(self.model.optimizer.iterations)]


def of_values(values):
    """Returns the schedule with one value for each iteration."""
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        list(range(len(values) - 1)), values
    )


def settable(model, first=9.0, **arguments):
    return keras_sam.SAM(model, rho=radii.Settable(first), **arguments)


def trained(rho, callbacks=(), **compiling):
    return testing.train(
        testing.full_net,
        lambda model: keras_sam.SAM(
            model, rho=rho, ascent_steps=2, direction="friendly"
        ),
        "adam",
        fit={"callbacks": list(callbacks)},
        **compiling,
    )


@pytest.mark.parametrize(
    "compiling", [{"run_eagerly": True}, {}, {"jit_compile": True}]
)
def test_as_a_schedule(compiling):
    testing.assert_same(
        trained(radii.Settable(9.0), [Setting()], **compiling),
        trained(of_values(RADII), **compiling),
        # XLA fuses a constant schedule into the step in another way.
        atol=1e-6 if "jit_compile" in compiling else 0.0,
    )


def test_with_several_steps_an_execution():
    """All steps of an execution have the radius that is set before it."""
    values = [RADII[0]] * 3 + [RADII[3]] * 3
    testing.assert_same(
        trained(radii.Settable(9.0), [Setting(3)], steps_per_execution=3),
        trained(of_values(values), steps_per_execution=3),
    )


def test_replicas():
    x, y = testing.data(8)
    found = []
    for rho in (radii.Settable(0.1), 0.3):
        with engine.two_devices():
            keras.utils.set_random_seed(1)
            sam = keras_sam.SAM(testing.dense_net(), rho=rho)
            sam.compile("sgd", testing.cross_entropy())
            if isinstance(rho, radii.Settable):
                sam.rho = 0.3
                assert sam.rho == np.float32(0.3)
            testing.replicated_step(sam, x, y)
        found.append(sam.model.get_weights())
    for one, two in zip(*found, strict=True):
        # The fixed radius is a float64 number, the settable one a float32.
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-6)


class Traced:
    """A direction that counts how often it is traced."""

    def __init__(self):
        self.count = 0

    def __call__(self, grads, params):
        self.count += 1
        return directions.Normalized()(grads, params)


def test_a_new_value_is_not_traced_again():
    direction = Traced()
    sam = settable(testing.dense_net(), direction=direction)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data(8)
    sam.fit(x, y, verbose=0)
    count = direction.count
    sam.rho = 0.2
    sam.fit(x, y, verbose=0)
    assert direction.count == count > 0


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-0.1, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (1e39, ValueError),  # Infinite in float32.
        ("0.1", TypeError),
        (True, TypeError),
        (None, TypeError),
    ],
)
def test_values_that_are_refused(value, error):
    sam = settable(testing.dense_net(), 0.25)
    with pytest.raises(error, match="`rho` must be .*Received"):
        sam.rho = value
    assert sam.rho == 0.25
    with pytest.raises(error, match="`rho` must be .*Received"):
        radii.Settable(value)


def test_a_fixed_radius_stays_fixed():
    sam = keras_sam.SAM(testing.dense_net(), rho=0.1)
    with pytest.raises(AttributeError, match="`rho` is fixed.*Settable"):
        sam.rho = 0.2
    assert sam.rho == 0.1


def test_a_variable_is_an_error_that_says_what_to_write():
    with pytest.raises(TypeError, match=r"keras_sam.radii.Settable\(0.05\)"):
        keras_sam.SAM(testing.dense_net(), rho=keras.Variable(0.1))


def has_radius(path):
    """Whether a `.keras` file has the layer of a radius."""
    with zipfile.ZipFile(path) as archive:
        return b"_radius" in archive.read("model.weights.h5")


def test_only_a_settable_radius_is_a_weight(tmp_path):
    fixed = keras_sam.SAM(testing.dense_net(), rho=0.1)
    sam = settable(testing.dense_net())
    assert len(sam.weights) == len(fixed.weights) + 1
    assert [w.path for w in sam.weights][-1] == "radius/rho"
    assert len(sam.trainable_weights) == len(fixed.trainable_weights)
    assert sam.layers == sam.model.layers
    for model, expected in ((fixed, False), (sam, True)):
        model.save(tmp_path / "sam.keras")
        assert has_radius(tmp_path / "sam.keras") == expected


def test_files_hold_the_present_value(tmp_path):
    sam = settable(testing.dense_net(), 0.1)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data(8)
    sam.fit(x, y, verbose=0, shuffle=False)
    sam.rho = 0.5
    sam.save(tmp_path / "sam.keras")
    loaded = keras.saving.load_model(tmp_path / "sam.keras")
    assert loaded.rho == 0.5
    for model in (sam, loaded):
        model.rho = 0.25
        model.fit(x, y, verbose=0, shuffle=False)
    for one, two in zip(sam.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_weights_of_a_fixed_radius_and_back(tmp_path):
    fixed = keras_sam.SAM(testing.dense_net(), rho=0.1)
    sam = settable(testing.dense_net(), 0.5)
    fixed.save_weights(tmp_path / "fixed.weights.h5")
    sam.load_weights(tmp_path / "fixed.weights.h5")
    assert sam.rho == 0.5
    for one, two in zip(
        fixed.model.get_weights(), sam.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    sam.save_weights(tmp_path / "sam.weights.h5")
    fixed.load_weights(tmp_path / "sam.weights.h5")
    assert fixed.rho == 0.1


class Stop(Exception):
    pass


class Growing(keras.callbacks.Callback):
    """Sets the radius at the end of an epoch, from its present value."""

    def __init__(self, stop=None):
        super().__init__()
        self._stop = stop

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._stop:
            raise Stop

    def on_epoch_end(self, epoch, logs=None):
        self.model.rho = 2 * self.model.rho


def test_a_backup_resumes_to_the_bit(tmp_path):
    def fit(model, directory, stop=None):
        backup = keras_sam.BackupAndRestore(directory)
        x, y = testing.data(16)
        # The backup comes last, so that it holds what others have set.
        model.fit(
            *(x, y),
            batch_size=8,
            initial_epoch=backup.epoch,
            epochs=4,
            shuffle=False,
            verbose=0,
            callbacks=[Growing(stop), backup],
        )

    def fresh():
        keras.utils.set_random_seed(1)
        sam = settable(testing.full_net(), 0.05)
        sam.compile("adam", testing.cross_entropy())
        return sam

    whole, resumed = fresh(), fresh()
    fit(whole, tmp_path / "whole")
    with pytest.raises(Stop):
        fit(fresh(), tmp_path / "cut", stop=2)
    fit(resumed, tmp_path / "cut")
    assert whole.rho == resumed.rho == 16 * np.float32(0.05)
    first, second = map(testing.state, (whole, resumed))
    for (name, one), two in zip(first.items(), second.values(), strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)


@pytest.mark.filterwarnings("ignore:.*no effect")
def test_without_a_climb_it_is_plain_training_to_the_bit():
    plain = testing.train(testing.full_net)
    sam = testing.train(
        testing.full_net, lambda model: settable(model, ascent_steps=0)
    )
    testing.assert_same(plain, sam)


def test_zero_is_plain_training_up_to_rounding():
    plain = testing.train(testing.dense_net)
    sam = testing.train(testing.dense_net, lambda model: settable(model, 0.0))
    testing.assert_same(plain, sam, atol=1e-6)


def test_what_the_wrapper_says():
    sam = settable(testing.dense_net(), 0.25)
    assert "rho=Settable(value=0.25)" in repr(sam)
    sam.rho = 0.5
    assert "rho is 0.5 now, and may be set" in sam.describe()
    assert keras_sam.SAM.from_config(sam.get_config()).rho == 0.25


def test_the_callback_of_the_documentation():
    sam = settable(testing.dense_net(), 0.01)
    sam.compile("sgd", testing.cross_entropy())
    seen = []

    def warm_up(epoch, logs):
        sam.rho = min(0.01 * (epoch + 1), 0.02)
        seen.append(round(sam.rho, 6))

    sam.fit(
        *testing.data(8),
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=warm_up)],
    )
    assert seen == [0.01, 0.02, 0.02]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
