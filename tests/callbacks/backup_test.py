"""Interrupted and resumed trainings, in this process.

`processes/faults_test.py` and `jax/backup_test.py` kill real processes.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading

import keras
import numpy as np
import pytest

from tests.support import testing  # isort: skip

import keras_sam
from keras_sam._training import fast_forward
from keras_sam._training import preemption
from tests.support import backups
from tests.support import engine

EPOCHS = 3
STEPS = 6  # In an epoch.

tensorflow_only = pytest.mark.skipif(
    engine.JAX, reason="Backups on JAX have another format: jax/backup_test.py."
)


class Stop(Exception):
    """Interrupts a training."""


class StopAt(keras.callbacks.Callback):
    """Raises `Stop` before a step."""

    def __init__(self, epoch, step):
        super().__init__()
        self._at = (epoch, step)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if (self._epoch, batch) == self._at:
            raise Stop


def plain(net=testing.dense_net, optimizer=None, **compiling):
    """Returns a compiled plain model, the same each time."""
    keras.utils.set_random_seed(1)
    return compiled(net(), optimizer, **compiling)


def sam(parts=None, **compiling):
    """Returns a compiled SAM with all state that there is."""
    keras.utils.set_random_seed(1)
    parts = parts or {"direction": testing.Averaged()}
    wrapped = keras_sam.SAM(testing.full_net(), rho=0.1, **parts)
    return compiled(wrapped, **compiling)


def compiled(model, optimizer=None, **compiling):
    model.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.9),
        testing.cross_entropy(),
        metrics=["accuracy"],
        **compiling,
    )
    return model


def arrays_of(epoch):
    """Returns (x, y) of an epoch, in the order of that epoch."""
    x, y = testing.data(8 * STEPS)
    order = np.random.RandomState(epoch).permutation(len(y))
    return x[order], y[order]


def dataset(first=0, steps=STEPS):
    """Returns the batches of the epochs from `first` on."""
    if engine.JAX:
        return Joined(first, steps)
    tf = engine.tf
    parts = [
        tf.data.Dataset.from_tensor_slices(arrays_of(e)).batch(8).take(steps)
        for e in range(first, EPOCHS)
    ]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.concatenate(part)
    return joined


def generator(first=0, steps=STEPS):
    """Yields the same batches."""
    for epoch in range(first, EPOCHS):
        x, y = arrays_of(epoch)
        for i in range(0, 8 * steps, 8):
            yield x[i : i + 8], y[i : i + 8]


class Joined(keras.utils.PyDataset):
    """The same batches, where there is no TensorFlow."""

    def __init__(self, first, steps):
        super().__init__()
        self._batches = list(generator(first, steps))

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return self._batches[index]


class Sequence(keras.utils.PyDataset):
    """The same batches again."""

    def __init__(self, first):
        super().__init__()
        self._epoch = first

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        x, y = arrays_of(self._epoch)
        return x[8 * index : 8 * index + 8], y[8 * index : 8 * index + 8]

    def on_epoch_end(self):
        self._epoch += 1


def fit(model, directory, stop=None, data=dataset, epochs=EPOCHS, **backing):
    """Trains, and returns the backup callback."""
    backup = keras_sam.BackupAndRestore(directory, **backing)
    first = min(backup.epoch, epochs - 1)
    callbacks = [backup] + ([StopAt(*stop)] if stop else [])
    model.fit(
        data(first),
        initial_epoch=backup.epoch,
        epochs=epochs,
        steps_per_epoch=None if data is Sequence else STEPS,
        shuffle=False,
        callbacks=callbacks,
        verbose=0,
    )
    return backup


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(plain model, its backup) after an uninterrupted training."""
    model = plain()
    return model, fit(model, tmp_path_factory.mktemp("finished"))


def interrupt(model, directory, stop, **arguments):
    with pytest.raises(Stop):
        fit(model, directory, stop, **arguments)


def assert_same(first, second):
    first, second = testing.state(first).items(), testing.state(second).values()
    for (name, one), two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)


# Resuming.


@pytest.mark.parametrize("data", [dataset, generator, Sequence])
def test_resumes_to_the_bit(data, tmp_path):
    whole = sam()
    expected = fit(whole, tmp_path / "whole", data=data)
    interrupt(sam(), tmp_path / "cut", (1, 5), data=data, save_freq=2)
    backup = keras_sam.BackupAndRestore(tmp_path / "cut")
    assert (backup.epoch, backup.step) == (1, 4)
    assert backup.history == expected.history[:1]
    resumed = sam()
    resumed_backup = fit(resumed, tmp_path / "cut", data=data)
    assert_same(whole, resumed)
    assert resumed_backup.history == expected.history
    assert len(expected.history) == EPOCHS


@pytest.mark.parametrize("names", [("fisher mask", "reuse"), ("momentum",)])
def test_parts_that_remember_resume(names, tmp_path):
    parts = {}
    for name in names:
        parts.update(testing.STATEFUL[name])
    whole, resumed = sam(parts), sam(parts)
    fit(whole, tmp_path / "whole")
    interrupt(sam(parts), tmp_path / "cut", (1, 5), save_freq=2)
    fit(resumed, tmp_path / "cut")
    assert_same(whole, resumed)
    assert resumed.climbs == whole.climbs


def test_resumes_on_two_devices(tmp_path):
    with engine.two_devices():
        whole = sam(steps_per_execution=2)
        expected = fit(whole, tmp_path / "whole")
        cut = sam(steps_per_execution=2)
        interrupt(cut, tmp_path / "cut", (1, 4), save_freq=2)
        resumed = sam(steps_per_execution=2)
        backup = fit(resumed, tmp_path / "cut")
        assert_same(whole, resumed)
    if engine.JAX:
        assert backup.history == expected.history
    # Each replica goes on from half of the sum of both.
    for one, two in zip(expected.history, backup.history, strict=True):
        assert one == pytest.approx(two, rel=1e-6)


@pytest.mark.parametrize("make", [plain, sam])
def test_steps_per_execution(make, tmp_path):
    whole = make(steps_per_execution=2)
    expected = fit(whole, tmp_path / "whole")
    model = make(steps_per_execution=2)
    interrupt(model, tmp_path / "cut", (1, 4), save_freq=3)
    assert backups.saved(tmp_path / "cut") == [(1, 0), (1, 4)]
    resumed = make(steps_per_execution=2)
    assert fit(resumed, tmp_path / "cut").history == expected.history
    assert_same(whole, resumed)


def test_interrupted_again_and_again(finished, tmp_path):
    whole, expected = finished
    for stop in ((0, 0), (0, 1), (0, 3), (0, 5), (1, 0), (1, 5), (2, 5)):
        interrupt(plain(), tmp_path / "cut", stop, save_freq=2)
    resumed = plain()
    assert fit(resumed, tmp_path / "cut").history == expected.history
    assert_same(whole, resumed)


def test_arrays(tmp_path):
    def run(stop=None, directory="cut"):
        model = plain()
        backup = keras_sam.BackupAndRestore(tmp_path / directory, 2)
        model.fit(
            *testing.data(44),  # The last batch is a half.
            batch_size=8,
            epochs=2,
            shuffle=False,
            callbacks=[backup, StopAt(*(stop or (-1, 0)))],
            verbose=0,
        )
        return model, backup

    whole, expected = run(directory="whole")
    with pytest.raises(Stop):
        run((1, 3))
    resumed, backup = run()
    assert_same(whole, resumed)
    assert backup.history == expected.history


def test_all_steps_of_an_epoch_are_skipped(tmp_path):
    """Killed between the last step and the end of the epoch."""
    whole = plain(steps_per_execution=4)
    expected = fit(whole, tmp_path / "whole")

    class StopAtEnd(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch >= STEPS - 1:
                raise Stop

    backup = keras_sam.BackupAndRestore(tmp_path / "cut", save_freq=STEPS)
    with pytest.raises(Stop):
        plain(steps_per_execution=4).fit(
            dataset(),
            epochs=EPOCHS,
            steps_per_epoch=STEPS,
            callbacks=[backup, StopAtEnd()],
            shuffle=False,
            verbose=0,
        )
    assert (backup.epoch, backup.step) == (0, 8)  # Two executions.
    resumed = plain(steps_per_execution=4)
    assert fit(resumed, tmp_path / "cut").history == expected.history
    assert_same(whole, resumed)


def test_validation_logs_are_in_the_history(tmp_path):
    backup = keras_sam.BackupAndRestore(tmp_path)
    history = plain().fit(
        *testing.data(),
        validation_data=testing.data(),
        epochs=2,
        callbacks=[backup],
        verbose=0,
    )
    columns = history.history
    assert set(columns) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert backup.history == [
        {name: values[i] for name, values in columns.items()} for i in range(2)
    ]
    assert keras_sam.BackupAndRestore(tmp_path).history == backup.history


def averaging():
    return keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)


def test_callbacks_that_change_a_learning_rate(tmp_path):
    """They see the steps passed over again, but change it once."""

    class Decay(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.learning_rate *= 0.9

    def trained(directory, *others):
        model = plain()
        model.fit(
            dataset(),
            epochs=EPOCHS,
            steps_per_epoch=STEPS,
            shuffle=False,
            callbacks=[
                keras.callbacks.LearningRateScheduler(lambda _, lr: lr * 0.9),
                Decay(),
                *others,
                keras_sam.BackupAndRestore(directory, 2),
            ],
            verbose=0,
        )
        return model

    whole = trained(tmp_path / "whole")
    with pytest.raises(Stop):
        trained(tmp_path / "cut", StopAt(0, 5))
    assert_same(whole, trained(tmp_path / "cut"))


def test_stopped_training_is_finished(tmp_path):
    def trained():
        model = plain()
        stop = keras.callbacks.EarlyStopping("loss", min_delta=10, patience=1)
        backup = keras_sam.BackupAndRestore(tmp_path)
        callbacks = [stop, backup]
        data = dataset()
        history = model.fit(data, epochs=9, callbacks=callbacks, verbose=0)
        return model, backup, history.epoch

    stopped, backup, epochs = trained()
    assert epochs == [0, 1] and backup.epoch == 2
    again, backup, epochs = trained()
    assert epochs == [] and backup.epoch == 2
    assert_same(stopped, again)


def test_finished_training_is_left_as_it_was(tmp_path):
    whole = plain(optimizer=averaging())
    fit(whole, tmp_path)
    before = backups.saved(tmp_path)
    again = plain(optimizer=averaging())
    steps = []
    again.train_step = lambda *arguments: steps.append(arguments)
    backup = fit(again, tmp_path)
    assert_same(whole, again)
    assert backup.epoch == EPOCHS and not steps
    assert backups.saved(tmp_path) == before


def test_finished_training_goes_on_with_more_epochs(tmp_path):
    """From the weights, not from the averages that they are replaced by."""
    whole = plain(optimizer=averaging())
    fit(whole, tmp_path / "whole")
    fit(plain(optimizer=averaging()), tmp_path / "parts", epochs=2)
    longer = plain(optimizer=averaging())
    fit(longer, tmp_path / "parts")
    assert_same(whole, longer)


def test_one_callback_for_two_fits(finished, tmp_path):
    model = plain()
    backup = keras_sam.BackupAndRestore(tmp_path / "parts")
    for first, last in ((0, 2), (2, 3)):
        model.fit(
            dataset(first),
            epochs=last,
            steps_per_epoch=STEPS,
            callbacks=[backup],
            shuffle=False,
            verbose=0,
        )
    assert_same(finished[0], model)


@pytest.mark.parametrize("stop", [None, (1, 5), (2, 1)])
def test_the_model_is_as_before_after_a_resumed_fit(stop, tmp_path):
    interrupt(plain(), tmp_path, (1, 5), save_freq=2)
    model = plain()
    with pytest.raises(Stop) if stop else contextlib.nullcontext():
        fit(model, tmp_path, stop)
    history = model.fit(*testing.data(), epochs=1, verbose=0)
    assert history.epoch == [0]  # Keras's own callback would leave 1 here.
    assert not isinstance(model.train_function, fast_forward.Skip)


# When a backup is written.


@pytest.mark.parametrize(
    "save_freq, execution, expected",
    [
        ("epoch", 1, [0]),
        (1, 1, [1, 2, 3, 4, 5, 6, 0]),
        (4, 1, [4, 0]),
        (3, 2, [4, 6, 0]),
        (2, 4, [4, 8, 0]),  # As Keras counts them.
        (7, 1, [0]),
    ],
)
def test_save_freq(save_freq, execution, expected, tmp_path):
    model = plain(steps_per_execution=execution)
    fit(model, tmp_path, save_freq=save_freq, epochs=2, max_to_keep=99)
    assert backups.saved(tmp_path) == [
        (epoch + (step == 0), step) for epoch in range(2) for step in expected
    ]


def test_old_backups_are_deleted(tmp_path):
    fit(plain(), tmp_path, save_freq=1, max_to_keep=3)
    assert backups.saved(tmp_path) == [(2, 5), (2, 6), (3, 0)]
    expected = {"ckpt-19", "ckpt-20", "ckpt-21"}
    assert backups.names(tmp_path) == backups.OTHERS | expected
    backup = fit(plain(), tmp_path, epochs=EPOCHS + 1, data=lambda _: dataset())
    assert backup.epoch == EPOCHS + 1
    assert backups.names(tmp_path) == backups.OTHERS | {"ckpt-21", "ckpt-22"}


# What must not be restored.


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A directory with the backups (1, 2) and (1, 4)."""
    directory = tmp_path_factory.mktemp("interrupted")
    interrupt(plain(), directory, (1, 5), save_freq=2)
    assert backups.saved(directory) == [(1, 2), (1, 4)]
    return directory


@pytest.fixture
def directory(interrupted, tmp_path):
    return shutil.copytree(interrupted, tmp_path / "copy")


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path):
    """Changes a bit of a value."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


DAMAGES = [(damage, backups.VALUES) for damage in (cut, flip, empty)]
if not engine.JAX:
    DAMAGES.append((os.remove, backups.VALUES))
    DAMAGES += [(damage, ".index") for damage in (cut, os.remove)]


@pytest.mark.parametrize("damage, suffix", DAMAGES)
def test_damaged_backup(damage, suffix, finished, directory):
    damage(backups.newest(directory, suffix))
    model = plain()
    before = testing.state(model)
    with pytest.raises(ValueError, match="damaged") as caught:
        fit(model, directory)
    for name, value in testing.state(model).items():
        np.testing.assert_array_equal(value, before.get(name, value))
    message = str(caught.value)
    assert str(directory) in message
    ending = ".keras" if engine.JAX else ""
    assert f"ckpt-5{ending} (epoch 1, step 2) is whole" in message
    do_as_it_says(message, directory)
    resumed = plain()
    fit(resumed, directory)
    assert_same(finished[0], resumed)


def do_as_it_says(message, directory):
    if engine.JAX:
        assert "move ckpt-6.keras to another folder" in message
        (directory / "another").mkdir()
        shutil.move(directory / "ckpt-6.keras", directory / "another")
    else:
        line = 'model_checkpoint_path: "ckpt-5"'
        assert line in message
        (directory / "checkpoint").write_text(line)


def test_no_backup_is_whole(directory):
    for path in directory.glob(f"*{backups.VALUES}"):
        cut(path)
    with pytest.raises(ValueError, match="No older one is whole"):
        fit(plain(), directory)


@tensorflow_only
@pytest.mark.parametrize("content", ["garbage{", "", "all_model"])
def test_damaged_state_file(content, directory):
    (directory / "checkpoint").write_text(content)
    with pytest.raises(ValueError, match="checkpoint cannot be read"):
        keras_sam.BackupAndRestore(directory)


@tensorflow_only
def test_a_write_cut_short_changes_nothing(finished, directory):
    """What SIGKILL leaves before the state file is replaced."""
    newest = backups.newest(directory)
    good = newest.read_bytes()
    number = 1 + int(newest.name.split(".")[0].removeprefix("ckpt-"))
    (directory / f"ckpt-{number}{backups.VALUES}").write_bytes(good[:99])
    (directory / f"ckpt-{number}.index").write_bytes(b"cut sh")
    temporary = directory / f"ckpt-{number}_temp"
    temporary.mkdir()
    (temporary / f"part-00000-of-00001{backups.VALUES}").write_bytes(good[:99])
    resumed = plain()
    fit(resumed, directory, save_freq=1)
    assert_same(finished[0], resumed)


def test_a_first_write_cut_short_is_a_fresh_start(tmp_path):
    prefix = "unfinished-" if engine.JAX else ""
    (tmp_path / f"{prefix}ckpt-1{backups.VALUES}").write_bytes(b"cut sh")
    backup = keras_sam.BackupAndRestore(tmp_path)
    assert (backup.epoch, backup.step, backup.history) == (0, 0, [])
    fit(plain(), tmp_path)
    assert keras_sam.BackupAndRestore(tmp_path).epoch == EPOCHS
    assert "unfinished-ckpt-1" not in backups.names(tmp_path)


def wider():
    return testing.dense_net(hidden=9)


def renamed():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(8, name="another")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


@pytest.mark.parametrize(
    "make, expected",
    [
        (lambda: plain(wider), "hidden/kernel float32 (6, 8) there, "),
        (lambda: plain(renamed), "another/kernel float32 (6, 8) here"),
        (lambda: plain(testing.full_net), "norm/gamma float32 (8,) here"),
        (lambda: plain(optimizer="adam"), "hidden_kernel_momentum"),
        (sam, "norm/moving_mean float32 (8,) here"),
    ],
    ids=["shape", "name", "layers", "optimizer", "wrapper"],
)
def test_backup_of_another_model(make, expected, directory):
    model = make()
    model.optimizer.build(model.trainable_variables)
    before = testing.state(model)
    with pytest.raises(ValueError, match="another model") as caught:
        fit(model, directory)
    assert str(directory) in str(caught.value)
    assert expected in str(caught.value)
    for name, value in testing.state(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_backup_of_other_metrics(directory):
    """Those of the epoch so far cannot be restored."""
    model = plain()
    other = keras.metrics.SparseCategoricalAccuracy("other")
    model.compile(model.optimizer, testing.cross_entropy(), metrics=[other])
    with pytest.raises(ValueError, match="accuracy/total.*there"):
        fit(model, directory)
    assert not isinstance(model.train_function, fast_forward.Skip)


def test_names_that_keras_counts_may_differ(tmp_path):
    """Such as dense_1 where a process made another model before."""

    def net():
        return keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(8), keras.layers.Dense(3)]
        )

    keras.utils.clear_session()
    interrupt(plain(net), tmp_path, (1, 5), save_freq=2)
    model = plain(net)
    assert model.layers[0].name != "dense"
    assert fit(model, tmp_path).epoch == EPOCHS


def test_not_a_backup(tmp_path):
    if engine.JAX:
        plain().save(tmp_path / "ckpt-1.keras")
    else:
        tf = engine.tf
        checkpoint = tf.train.Checkpoint(a=tf.Variable(1.0))
        tf.train.CheckpointManager(checkpoint, tmp_path, 1).save()
    with pytest.raises(ValueError, match="not one of keras_sam") as caught:
        keras_sam.BackupAndRestore(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_backups_of_the_other_backend(tmp_path):
    other = "ckpt-3.index" if engine.JAX else "ckpt-3.keras"
    (tmp_path / other).touch()
    with pytest.raises(ValueError, match=f"Received: {other}, which is of"):
        keras_sam.BackupAndRestore(tmp_path)


def test_other_steps_per_execution(directory):
    with pytest.raises(ValueError, match="step 4 of an epoch.*Received: 3"):
        fit(plain(steps_per_execution=3), directory)
    assert fit(plain(steps_per_execution=4), directory).epoch == EPOCHS


def test_other_initial_epoch(tmp_path):
    interrupt(plain(), tmp_path, (0, 3), save_freq=2)
    backup = keras_sam.BackupAndRestore(tmp_path)
    with pytest.raises(ValueError, match="step 2 in epoch 0.*Received: 1"):
        plain().fit(
            dataset(),
            initial_epoch=1,
            epochs=2,
            callbacks=[backup],
            verbose=0,
        )


@pytest.mark.parametrize("steps_known", [True, False])
def test_data_that_end_before_the_backup(steps_known, finished, directory):
    make = dataset if steps_known else generator
    data = make(EPOCHS - 1, steps=3)
    model = plain()
    with pytest.raises(ValueError, match="the data end"):
        model.fit(
            data,
            epochs=2,
            callbacks=[keras_sam.BackupAndRestore(directory)],
            shuffle=False,
            verbose=0,
        )
    assert not isinstance(model.train_function, fast_forward.Skip)
    fit(model, directory)
    assert_same(finished[0], model)


def test_unbuilt_model(tmp_path):
    model = compiled(keras.Sequential([keras.layers.Dense(3)]))
    if engine.JAX:  # There `fit` builds it first.
        assert fit(model, tmp_path).epoch == EPOCHS
        return
    with pytest.raises(ValueError, match="built"):
        fit(model, tmp_path)


@pytest.mark.parametrize("value", [0, -1, 1.5, "step", True, None])
def test_bad_arguments(value, tmp_path):
    with pytest.raises(ValueError, match="`save_freq`.*Received: "):
        keras_sam.BackupAndRestore(tmp_path, value)
    with pytest.raises(ValueError, match="`max_to_keep`.*Received: "):
        keras_sam.BackupAndRestore(tmp_path, max_to_keep=value)


# SIGTERM.


class Terminate(keras.callbacks.Callback):
    """Sends SIGTERM to this process when training ends."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == EPOCHS - 1:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def received():
    """The signals that reach the handler of before `fit`."""
    found = []
    previous = signal.signal(signal.SIGTERM, lambda *_: found.append(1))
    yield found
    signal.signal(signal.SIGTERM, previous)


def test_a_signal_too_late_for_a_backup_is_handed_on(received, tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    plain().fit(
        dataset(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        callbacks=[keras_sam.BackupAndRestore(tmp_path), Terminate()],
        shuffle=False,
        verbose=0,
    )
    assert received == [1]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_failed_fits_hold_back_no_more_than_one(received, tmp_path):
    for number in range(3):
        interrupt(plain(), tmp_path / str(number), (0, 0))
    os.kill(os.getpid(), signal.SIGTERM)
    assert not received
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [1]


def test_a_second_signal_is_not_held_back(received, tmp_path):
    class Twice(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)
            assert not received
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [1]

    backup = keras_sam.BackupAndRestore(tmp_path)
    with pytest.raises(SystemExit) as caught:
        plain().fit(dataset(), callbacks=[backup, Twice()], verbose=0)
    assert caught.value.code == 143
    assert (backup.epoch, backup.step) == (0, 1)


@tensorflow_only
def test_workers_that_no_signal_reaches(monkeypatch, received):
    """A stand-in for TensorFlow's handler as it is on Google's cloud."""

    handlers = []

    class Handler:
        def __init__(self, *_, termination_config):
            self._exit = termination_config.exit_fn
            self.preempted = False
            handlers.append(self)

        def save_checkpoint_if_preempted(self):
            if self.preempted:
                self._exit()

    class Strategy:
        cluster_resolver = None

    monkeypatch.setattr(preemption.replicas, "tasks", lambda strategy: [0, 1])
    monkeypatch.setattr(
        engine.tf.distribute.experimental,
        "PreemptionCheckpointHandler",
        Handler,
    )
    watch = preemption.Watch(Strategy())
    watch.start()
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [1]
    assert not watch.due()
    handlers[0].preempted = True
    assert watch.due()
    watch.stop()
    assert received == [1]


def test_another_thread(tmp_path):
    """Where no handler can be installed."""
    thread = threading.Thread(target=fit, args=(plain(), tmp_path))
    thread.start()
    thread.join(timeout=100)
    assert keras_sam.BackupAndRestore(tmp_path).epoch == EPOCHS


# What it says.


def said(caplog):
    """Returns what the logger of the library said, and forgets it."""
    texts = [r.getMessage() for r in caplog.records if r.name == "keras_sam"]
    caplog.clear()
    return texts


def test_it_says_where_fit_goes_on(tmp_path, caplog):
    interrupt(plain(), tmp_path, (1, 2), save_freq=2)
    assert not said(caplog)
    fit(plain(), tmp_path, save_freq=2)
    (text,) = said(caplog)
    assert str(tmp_path / "ckpt-") in text
    assert "`fit` goes on with step 2 of epoch 1, counted from 0" in text
    fit(plain(), tmp_path)
    (text,) = said(caplog)
    assert text.endswith(f"the training is finished after epoch {EPOCHS}.")


def test_it_says_what_is_left_after_a_signal(tmp_path, caplog):
    class Late(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    backup = keras_sam.BackupAndRestore(tmp_path)
    with pytest.raises(SystemExit):
        plain().fit(
            dataset(),
            steps_per_epoch=STEPS,
            callbacks=[Late(), backup],
            verbose=0,
        )
    (text,) = said(caplog)
    assert "has received SIGTERM and ends with status 143" in text
    assert str(tmp_path / "ckpt-1") in text
    assert "go on with step 2 of epoch 0" in text


def test_a_directory_that_is_no_path():
    with pytest.raises(TypeError, match="`directory` must be .*: None"):
        keras_sam.BackupAndRestore(None)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
