"""The callback that saves a training and takes it up again."""

import numbers
import signal

import keras
import numpy as np

from keras_sam._backend import replicas
from keras_sam._training.tensorflow.backup import checkpoints
from keras_sam._training.tensorflow.backup import fast_forward
from keras_sam._training.tensorflow.backup import preemption
from keras_sam._training.tensorflow.distribute import agreement


class BackupAndRestore(keras.callbacks.Callback):
    """Saves a `fit` as it goes, and resumes an interrupted one where it was.

    `keras.callbacks.BackupAndRestore` overwrites its only copy in place, from
    every worker, leaves out metrics, and repeats the epoch it was in. Here a
    backup holds all variables of model, optimizer and metrics, seeds among
    them; it is written whole or not at all, and by the chief alone.

    A resumed training equals the uninterrupted one to the bit if its data do:
    an epoch must have the same batches in the same order whenever it is asked
    for, and the data given to `fit` must begin with the epoch `epoch`, as with
    Keras's `initial_epoch`. The batches of it that are done are passed over.
    `fit(shuffle=True)` orders arrays by global seeds, which are not saved. With
    several replicas the metrics of an epoch resumed in its middle may differ
    in the last bits, since each goes on with its part of the sums so far.

    Make it the last of the callbacks: what others change before is saved, such
    as a learning rate. What they remember is not. They see the steps passed
    over again, with the logs of the last one.

    After SIGTERM the step is finished and saved, and `SystemExit(143)` raised
    (128 + SIGTERM); with several workers on all of them, after a step that
    they agree on. `fit` on a finished training, or one that a callback has
    stopped, runs no step and leaves the weights of its last backup.

    Args:
        directory: String or path, where the backups of this one training are,
            the same for all workers.
        save_freq: "epoch", or an int: a backup also after so many train steps
            of an epoch (after the execution that reaches them, with
            `steps_per_execution`).
        max_to_keep: Int, at least 1: the number of backups kept.

    Raises:
        ValueError: If the newest backup is damaged, of another model, or not
            the same on all workers. No variable has changed then (unless it
            is only that an epoch was begun with other metrics).
    """

    def __init__(self, directory, save_freq="epoch", *, max_to_keep=2):
        super().__init__()
        if save_freq != "epoch":
            _check_positive("save_freq", save_freq, '"epoch" or ')
        _check_positive("max_to_keep", max_to_keep)
        self._save_freq = save_freq
        self._checkpoints = checkpoints.Checkpoints(directory, max_to_keep)

    @property
    def epoch(self):
        """The number of epochs finished in the newest backup."""
        return self._checkpoints.progress["epoch"]

    @property
    def step(self):
        """The number of train steps done in the epoch after."""
        return self._checkpoints.progress["step"]

    @property
    def history(self):
        """The logs of each finished epoch, a list of dicts."""
        return self._checkpoints.progress["history"]

    def on_train_begin(self, logs=None):
        model, strategy = self.model, self.model.distribute_strategy
        if not model.built:
            raise ValueError(
                "`BackupAndRestore` needs a model that is built: call it on a "
                f"batch first. Received: {model.name!r}, which is not"
            )
        progress = self._checkpoints.progress
        agreement.agree(
            strategy,
            {"backup": {k: progress[k] for k in ("epoch", "step", "logs")}},
        )
        self._skip = None
        self._resumes = False
        if self._checkpoints.latest:
            self._restore_state()
            model._initial_epoch = self.epoch
            self._resumes = self.step > 0
            if self._checkpoints.progress["stopped"]:
                model._initial_epoch = self.params["epochs"]
        self._watch = preemption.Watch(strategy)
        self._watch.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None  # `fit` has read it.
        self._epoch = epoch
        if not self._resumes:
            return
        if epoch != self.epoch:
            raise ValueError(
                f"The newest backup is of step {self.step} in epoch "
                f"{self.epoch}, so `fit` must have that as `initial_epoch`. "
                f"Received: {epoch}"
            )
        # Now, since `fit` has just reset the metrics.
        self._skip = fast_forward.Skip(
            self.model,
            self.step,
            self._checkpoints.progress["logs"],
            lambda: self._checkpoints.restore("metrics", _metrics(self.model)),
        )
        self._resumes = False

    def on_train_batch_begin(self, batch, logs=None):
        self._first = batch
        self._skips = self._skip is not None and self._skip.left > 0
        if self._skips:
            self._skip.install()

    def on_train_batch_end(self, batch, logs=None):
        ends = self._watch.due()
        if self._skips and self._skip.left <= 0:
            # Once more: other callbacks may have changed a learning rate again.
            self._restore_state()
        if not self._skips and (ends or self._is_due(batch + 1)):
            self._save(self._epoch, batch + 1, self.history, logs)
        if ends:
            _exit()

    def on_epoch_end(self, epoch, logs=None):
        if self._skip is not None:
            self._skip.check_end()
            self._skip = None
        self._save(epoch + 1, 0, [*self.history, _plain(logs)])
        if self._watch.due():
            _exit()

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None
        self._watch.stop()

    def _is_due(self, done):
        """Whether the steps from `_first` to `done` reach a multiple."""
        every = self._save_freq
        return every != "epoch" and done // every > self._first // every

    def _save(self, epoch, step, history, logs=None):
        self._checkpoints.save(
            {
                "epoch": epoch,
                "step": step,
                "history": history,
                "logs": _plain(logs),
                "stopped": bool(not step and self.model.stop_training),
            },
            {"state": _state(self.model), "metrics": _metrics(self.model)},
            replicas.is_chief(self.model.distribute_strategy),
        )

    def _restore_state(self):
        model = self.model
        if model.optimizer is not None and not model.optimizer.built:
            with model.distribute_strategy.scope():
                model.optimizer.build(model.trainable_variables)
        self._checkpoints.verify()
        self._checkpoints.restore("state", _state(model))


def _state(model):
    """Returns the variables of model and optimizer, each once."""
    optimizer = model.optimizer.variables if model.optimizer else []
    others = {id(v) for v in model.metrics_variables}
    found = {id(v): v for v in [*model.variables, *optimizer]}
    return [v for key, v in found.items() if key not in others]


def _metrics(model):
    return list({id(v): v for v in model.metrics_variables}.values())


def _plain(logs):
    """Returns logs as JSON can hold them."""
    return {k: np.asarray(v).tolist() for k, v in (logs or {}).items()}


def _check_positive(name, value, others=""):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"`{name}` must be {others}an int, at least 1. Received: {value!r}"
        )


def _exit():
    raise SystemExit(128 + signal.SIGTERM)
