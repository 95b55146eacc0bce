"""What a run leaves on disk: a run that is cut short loses nothing.

    settings.json   the flags and the backend; a folder belongs to one of each
    checkpoints/    all state, the last two backups
    result.json     written last: its presence says that the run is finished

Each file is written aside and then renamed. So a reader, or a later run, sees
the old content or the new content, never a part.
"""

import csv
import io
import json
import math
import os
import pathlib
import platform
import statistics
import time

import keras
import numpy as np

import keras_sam
from examples import engine
from examples import methods

_BACKEND = "KERAS_BACKEND"  # An environment variable beside the flags.


def write_text(path, text):
    """Writes a file in one piece: a reader sees the old one or the new."""
    aside = pathlib.Path(f"{path}.{os.getpid()}.tmp")
    aside.write_text(text)
    os.replace(aside, path)


def write_json(path, content):
    """Writes JSON in one piece."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_csv(path, columns, rows):
    """Writes rows, dicts by column, in one piece."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def claim(folder, settings):
    """Makes the folder one of these settings, once there are results to keep.

    Raises:
        ValueError: If a run with other settings, or of another backend, lives
            there.
    """
    check(folder, settings)
    path = folder / "settings.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, _with_backend(settings))


def read_csv(path):
    """Returns the rows of a file that there may be, dicts of strings."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def check(folder, settings):
    """Checks that a folder is free, or one of the same settings.

    Raises:
        ValueError: If a run with other settings, or of another backend, lives
            there.
    """
    path = folder / "settings.json"
    if not path.exists():
        return
    earlier, now = json.loads(path.read_text()), _with_backend(settings)
    differing = [
        f"{name if name == _BACKEND else f'--{name}'}: "
        f"{earlier.get(name)!r} there, {now.get(name)!r} here"
        for name in sorted({*earlier, *now})
        if earlier.get(name) != now.get(name)
    ]
    if differing:
        raise ValueError(
            f"{folder} holds a run with other settings. Choose another "
            "--output_dir, or delete it. Differing:\n  "
            + "\n  ".join(differing)
        )


def _with_backend(settings):
    return {**settings, _BACKEND: keras.backend.backend()}


def backend():
    """Returns what a hash of all that a result depends on has of the backend.

    TensorFlow has nothing: the first tables are from a time without JAX.
    """
    name = keras.backend.backend()
    return [] if name == "tensorflow" else [name]


class Backup(keras_sam.BackupAndRestore):
    """Backs up a run, with the seconds of training in its history.

    Those of an epoch that was resumed in its middle are of the rest of it. A
    loss that is not finite is an error, before it could be backed up.

    Args:
        directory: As of the base class.
        save_freq: As of the base class.
        claim: A function without arguments that claims the folder of the run.
            It is called after the first train step: a run that fails before
            leaves the folder free.
    """

    def __init__(self, directory, save_freq, claim):
        super().__init__(directory, save_freq)
        self._claim = claim

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self._with_compilation = True

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch, logs)
        self._start = time.perf_counter()
        self._seconds = None

    def on_train_batch_end(self, batch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"The loss of epoch {self.epoch + 1} is {logs['loss']}. The "
                f"last backup holds {self.epoch} epochs and {self.step} steps."
            )
        if self._claim:
            self._claim()
            self._claim = None
        super().on_train_batch_end(batch, logs)

    def on_test_begin(self, logs=None):
        if self._seconds is None:
            self._seconds = time.perf_counter() - self._start

    def on_epoch_end(self, epoch, logs=None):
        timing = {
            "seconds": self._seconds,
            "with_compilation": self._with_compilation,
        }
        self._with_compilation = False
        super().on_epoch_end(epoch, {**logs, **timing})


def cost(settings, model, steps_per_epoch, history):
    """Counts the work: gradients computed, seconds spent."""
    steps = settings.epochs * steps_per_epoch
    climbs = steps if model.climbs is None else model.climbs
    passes = steps + climbs * methods.evaluations(model)
    steady = [e["seconds"] for e in history if not e["with_compilation"]]
    return {
        "steps": steps,
        "climbs": climbs if model.ascent_steps else 0,
        # One for each pass over a batch, or over a part of a split batch.
        "gradient_evaluations": passes * (model.num_batch_splits or 1),
        # The work itself, which splitting does not change.
        "example_gradients": passes * settings.batch_size,
        "train_seconds": sum(epoch["seconds"] for epoch in history),
        "seconds_per_epoch": statistics.median(steady) if steady else None,
    }


def environment(model):
    """Describes the model and what it ran on."""
    sizes = [int(np.prod(v.shape)) for v in model.model.trainable_variables]
    return {
        "trainable_parameters": sum(sizes),
        "parameters": model.model.count_params(),
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            **engine.machine.versions(),
            "numpy": np.__version__,
            "keras_sam": keras_sam.__version__,
        },
        "devices": engine.machine.devices(),
    }
