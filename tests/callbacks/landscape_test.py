"""The callback that looks at the landscape while `fit` trains."""

import csv
import math
import sys

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import callbacks
from keras_sam import landscape
from tests.support import engine
from tests.support import testing

NAMES = (
    "landscape_loss",
    "landscape_one_step_sharpness",
    "landscape_sharpness",
    "landscape_sharpness_gap",
    "landscape_gradient_norm",
    "landscape_gradient_cosine",
    "landscape_straightness",
)
CLIMB = {"rho": 0.2, "ascent_steps": 2, "radius": "full"}


def looking(**arguments):
    x, y = testing.data(20, seed=5)
    return callbacks.Landscape(x, y, batch_size=8, **{**CLIMB, **arguments})


def trained(*looks, wrap=keras_sam.SAM, make=testing.full_net, **fit):
    fit = {"callbacks": list(looks), "epochs": 3, **fit}
    compiling = {"steps_per_execution": fit.pop("steps_per_execution", 1)}
    return testing.train(make, wrap, fit=fit, **compiling)


@pytest.mark.parametrize("wrap", [keras_sam.SAM, lambda net: net])
def test_numbers_are_those_of_the_landscape(wrap):
    model, history = trained(looking(), wrap=wrap)
    at = landscape.Landscape(model, *testing.data(20, seed=5), batch_size=8)
    sharpness = landscape.sharpness(at, **CLIMB)
    path = landscape.path(at, **CLIMB).mean()
    expected = (
        at.loss(at.params),
        sharpness.one_step,
        sharpness.value,
        sharpness.value - sharpness.one_step,
        path["gradient_norms"][0],
        path["cosines_to_first"][1],
        path["straightness"],
    )
    for name, value in zip(NAMES, expected):
        assert history[name][-1] == pytest.approx(value, rel=1e-5, abs=1e-6)
        assert len(set(history[name])) == 3


@pytest.mark.parametrize("unit", ["epoch", "step"])
def test_training_is_as_without(unit):
    plain = trained()
    model, history = trained(looking(unit=unit))
    kept = {k: v for k, v in history.items() if k not in NAMES}
    testing.assert_same(plain, (model, kept))


def test_epochs_between_have_no_number():
    _, history = trained(looking(every=2), epochs=5)
    for name in NAMES:
        measured = [not math.isnan(value) for value in history[name]]
        assert measured == [False, True, False, True, False]


class Batches(keras.callbacks.Callback):
    """Notes which train steps have the numbers in their logs."""

    def on_train_begin(self, logs=None):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        if NAMES[0] in logs:
            self.seen.append(batch)


@pytest.mark.parametrize(
    ("several", "expected"), [(1, [1, 0, 2, 1]), (2, [1, 1, 3, 1])]
)
def test_steps(several, expected):
    """An epoch has three steps. Every second step is measured.

    Keras numbers an execution of two steps by the second, also at the end of an
    epoch, where it holds one step. The executions that contain the steps 2, 4,
    6 and 8 of the training have the numbers expected.
    """
    batches = Batches()
    _, history = trained(
        looking(every=2, unit="step"), batches, steps_per_execution=several
    )
    assert batches.seen == expected
    assert not np.isnan(history[NAMES[0]]).any()


@testing.TENSORFLOW  # Keras's TensorBoard needs it.
def test_other_callbacks_find_the_numbers(tmp_path):
    _, history = trained(
        looking(every=2),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
    )
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    tf = engine.tf
    events = (tmp_path / "board" / "train").glob("events*")
    written = {}
    for record in tf.data.TFRecordDataset(sorted(map(str, events))):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            if not value.tag.startswith("epoch_"):
                continue  # The graph.
            number = tf.make_ndarray(value.tensor)
            written[value.tag.removeprefix("epoch_"), event.step] = number
    for name in NAMES:
        assert math.isnan(float(rows[0][name]))
        assert float(rows[1][name]) == history[name][1]
        assert written[name, 1] == pytest.approx(history[name][1])


def test_two_replicas():
    def wrap(net):
        return keras_sam.SAM(net, sync_perturbations=True)

    one, on_one = trained(looking(), wrap=wrap, make=testing.dense_net)
    with engine.two_devices():
        two, on_two = trained(looking(), wrap=wrap, make=testing.dense_net)
    for name in NAMES:
        # Two replicas add float32 numbers in another order.
        np.testing.assert_allclose(on_one[name], on_two[name], atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"every": 0}, ValueError),
        ({"every": 1.5}, TypeError),
        ({"unit": "batch"}, ValueError),
        ({"rho": 0.0}, ValueError),
        ({"ascent_steps": 0}, ValueError),
    ],
)
def test_bad_arguments(arguments, error):
    (name,) = arguments
    with pytest.raises(error, match=f"`{name}` must be .* Received: "):
        looking(**arguments)


def test_an_interruption_ends_the_training(monkeypatch):
    """The callback must not log a mean over only some of the batches."""
    path, calls = landscape.path, []

    def interrupted(at, **climb):
        calls.append(1)
        return path(at, progress=lambda done, total: True, **climb)

    monkeypatch.setattr(landscape, "path", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(looking())
    assert calls == [1]


def test_without_gradients_there_is_no_number():
    x, y = np.zeros((8, 6), "float32"), np.zeros(8, "float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="No landscape to log"):
        history = model.fit(
            x, y, callbacks=[callbacks.Landscape(x, y)], verbose=0
        ).history
    assert math.isnan(history["landscape_sharpness"][0])


def test_data_that_do_not_fit_end_the_training_before_it_begins():
    look = callbacks.Landscape(np.zeros((4, 5)), np.zeros(4))
    with pytest.raises(ValueError, match="must fit the model"):
        trained(look)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
