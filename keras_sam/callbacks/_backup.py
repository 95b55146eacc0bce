"""The callback that saves a training and resumes it."""

import logging
import numbers
import os
import signal
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_sam import _keras_internals
from keras_sam._backend import replicas
from keras_sam._training import agreement
from keras_sam._training import checkpoints
from keras_sam._training import fast_forward
from keras_sam._training import preemption

_LOG = logging.getLogger("keras_sam")


class BackupAndRestore(keras.callbacks.Callback):
    """Saves a `fit` while it runs, and resumes an interrupted `fit`.

    `keras.callbacks.BackupAndRestore` overwrites its only copy in place, from
    every worker, leaves out metrics, and repeats the epoch it was in. Here a
    backup holds all variables of model, optimizer and metrics, seeds included.
    It is written whole or not at all, and by the chief alone.

    A resumed training equals the uninterrupted one to the bit if its data do.
    An epoch must have the same batches in the same order whenever it is read.
    The data given to `fit` must begin with the epoch `epoch`, as with Keras's
    `initial_epoch`. The callback skips the batches of that epoch that were
    trained on before the interruption. `fit(shuffle=True)` orders arrays by
    global seeds, which are not saved. With several replicas, the metrics of an
    epoch that is resumed in its middle may differ in the last bits: each
    replica goes on with its part of the sums so far.

    The callback must be the last one. It saves variables that other callbacks
    change before it, such as a learning rate. It does not save the attributes
    of other callbacks. Other callbacks see the skipped steps again, with the
    logs of the last skipped step.

    After SIGTERM the callback waits for the end of the step, saves, and raises
    `SystemExit(143)` (128 + SIGTERM). Several workers all do so, after a step
    that they agree on. If a training is finished, or a callback has stopped it,
    another `fit` runs no step and leaves the weights of the last backup.

    The logger "keras_sam" says, as a warning, where `fit` resumes, and what
    backup is left after SIGTERM.

    Args:
        directory: String or path, the folder for the backups of this one
            training. It must be the same for all workers.
        save_freq: "epoch", or an int k: also a backup after every k train
            steps of an epoch. (With `steps_per_execution`, after the execution
            that reaches them.)
        max_to_keep: Int, at least 1: the number of backups kept.

    Raises:
        TypeError: If `directory` is no path.
        ValueError: If the newest backup is damaged, of another model, or not
            the same on all workers. No variable has changed then, unless only
            the metrics differ and the backup is from within an epoch.
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        save_freq: int | str = "epoch",
        *,
        max_to_keep: int = 2,
    ) -> None:
        super().__init__()
        if not isinstance(directory, (str, os.PathLike)):
            raise TypeError(
                "`directory` must be a string or a path, the folder for the "
                f"backups. Received: {directory!r}"
            )
        if save_freq != "epoch":
            _check_positive("save_freq", save_freq, '"epoch" or ')
        _check_positive("max_to_keep", max_to_keep)
        self._every = None if save_freq == "epoch" else int(save_freq)
        self._checkpoints = checkpoints.Checkpoints(directory, max_to_keep)

    @property
    def epoch(self) -> int:
        """The number of finished epochs in the newest backup."""
        return self._checkpoints.progress["epoch"]

    @property
    def step(self) -> int:
        """The number of finished train steps in the epoch after those."""
        return self._checkpoints.progress["step"]

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logs of each finished epoch, a list of dicts."""
        return self._checkpoints.progress["history"]

    def on_train_begin(self, logs: Any = None) -> None:
        model = self.model
        strategy = replicas.of(model)
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
        self._skip: fast_forward.Skip | None = None
        self._resumes = False
        if self._checkpoints.latest:
            self._restore_state()
            stopped = self._checkpoints.progress["stopped"]
            _keras_internals.set_first_epoch(
                model, self.params["epochs"] if stopped else self.epoch
            )
            self._resumes = self.step > 0
            _LOG.warning("%s", self._resumed(stopped))
        self._watch = preemption.Watch(strategy)
        self._watch.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # `fit` has read the first epoch by now.
        _keras_internals.set_first_epoch(self.model, None)
        self._epoch = epoch
        if not self._resumes:
            return
        if epoch != self.epoch:
            raise ValueError(
                f"The newest backup is of step {self.step} in epoch "
                f"{self.epoch}, so `fit` must have that as `initial_epoch`. "
                f"Received: {epoch}"
            )
        # Only now, since `fit` has just reset the metrics.
        self._skip = fast_forward.Skip(
            self.model,
            self.step,
            self._checkpoints.progress["logs"],
            lambda: self._checkpoints.restore("metrics", _metrics(self.model)),
        )
        self._resumes = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._first = batch
        self._skips = self._skip is not None and self._skip.left > 0
        if self._skip is not None and self._skips:
            self._skip.install()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        ends = self._watch.due()
        if self._skip is not None and self._skips and self._skip.left <= 0:
            # Once more: other callbacks may have changed a learning rate again.
            self._restore_state()
        if not self._skips and (ends or self._is_due(batch + 1)):
            self._save(self._epoch, batch + 1, self.history, logs)
        if ends:
            self._exit()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._skip is not None:
            self._skip.check_end()
            self._skip = None
        self._save(epoch + 1, 0, [*self.history, _plain(logs)])
        if self._watch.due():
            self._exit()

    def on_train_end(self, logs: Any = None) -> None:
        _keras_internals.set_first_epoch(self.model, None)
        self._watch.stop()

    def _resumed(self, stopped: bool) -> str:
        """Says where `fit` goes on, in words."""
        backup = f"BackupAndRestore has restored {self._checkpoints.latest}"
        if stopped or self.epoch >= self.params["epochs"]:
            end = "was stopped" if stopped else "is finished"
            return f"{backup}: the training {end} after epoch {self.epoch}."
        return f"{backup}: `fit` goes on {self._place()}."

    def _place(self) -> str:
        """Says where in the training the newest backup is, counted from 0."""
        return f"with step {self.step} of epoch {self.epoch}, counted from 0"

    def _exit(self) -> None:
        """Ends the process as SIGTERM asks."""
        status = 128 + signal.SIGTERM
        _LOG.warning(
            "BackupAndRestore has received SIGTERM and ends with status %d. "
            "The backup %s lets `fit` go on %s.",
            status,
            self._checkpoints.latest,
            self._place(),
        )
        raise SystemExit(status)

    def _is_due(self, done: int) -> bool:
        """Whether the steps from `_first` to `done` reach a step to save."""
        every = self._every
        return every is not None and done // every > self._first // every

    def _save(
        self, epoch: int, step: int, history: list, logs: Any = None
    ) -> None:
        self._checkpoints.save(
            {
                "epoch": epoch,
                "step": step,
                "history": history,
                "logs": _plain(logs),
                "stopped": bool(not step and self.model.stop_training),
            },
            {"state": _state(self.model), "metrics": _metrics(self.model)},
            replicas.of(self.model),
        )

    def _restore_state(self) -> None:
        model = self.model
        if model.optimizer is not None and not model.optimizer.built:
            with replicas.scope(replicas.of(model)):
                model.optimizer.build(model.trainable_variables)
        self._checkpoints.verify()
        self._checkpoints.restore("state", _state(model))


def _state(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables of model and optimizer, each once."""
    optimizer = model.optimizer.variables if model.optimizer else []
    others = {id(v) for v in model.metrics_variables}
    own = {id(v): v for v in [*model.variables, *optimizer]}
    return [v for key, v in own.items() if key not in others]


def _metrics(model: keras.Model) -> list[keras.Variable]:
    return list({id(v): v for v in model.metrics_variables}.values())


def _plain(logs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns logs of floats and lists, which JSON can hold."""
    return {k: np.asarray(v).tolist() for k, v in (logs or {}).items()}


def _check_positive(name: str, value: Any, others: str = "") -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < 1:
        raise ValueError(
            f"`{name}` must be {others}an int, at least 1. Received: {value!r}"
        )
