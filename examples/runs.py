"""What a run leaves on disk, such that a run cut short loses nothing.

    settings.json   the flags; a folder belongs to one set of them
    checkpoints/    all state, the last two epochs
    result.json     written last: its presence says that the run is finished

Each file is written aside and then renamed, so a reader, or a later run, sees
the old content or the new, never a part.
"""

import json
import math
import os
import pathlib
import platform
import statistics
import time

import keras
import numpy as np
import tensorflow as tf

import keras_sam


def write_json(path, content):
    """Writes JSON in one piece."""
    aside = pathlib.Path(f"{path}.{os.getpid()}.tmp")
    aside.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(aside, path)


def claim(folder, settings):
    """Makes the folder, or checks that it belongs to the same settings.

    Raises:
        ValueError: If a run with other settings lives there.
    """
    path = folder / "settings.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, settings)
        return
    earlier = json.loads(path.read_text())
    differing = [
        f"--{name}: {earlier.get(name)!r} there, {settings.get(name)!r} here"
        for name in sorted({*earlier, *settings})
        if earlier.get(name) != settings.get(name)
    ]
    if differing:
        raise ValueError(
            f"{folder} holds a run with other settings. Choose another "
            "--output_dir, or delete it. Differing:\n  "
            + "\n  ".join(differing)
        )


class Checkpoint(keras.callbacks.Callback):
    """Restores a run on construction and saves it after each epoch.

    `keras.callbacks.BackupAndRestore` would not do: `.weights.h5` files leave
    out the state of dropout's seeds, and it overwrites its only copy in place,
    weights and epoch number one after the other.

    Args:
        model: The compiled model; its optimizer is built.
        folder: Where the checkpoints are.

    Attributes:
        history: One dict an epoch: the logs, and the seconds of training.
    """

    def __init__(self, model, folder):
        super().__init__()
        variables = [*model.variables, *model.optimizer.variables]
        # The history rides along: weights and epoch number change as one.
        self._history = tf.Variable("[]")
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                variables=[variable.value for variable in variables],
                history=self._history,
            ),
            folder,
            max_to_keep=2,
        )
        self._manager.restore_or_initialize()
        self.history = json.loads(self._history.numpy())
        self._first = len(self.history)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()
        self._seconds = None

    def on_test_begin(self, logs=None):
        if self._seconds is None:
            self._seconds = time.perf_counter() - self._start

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"The loss of epoch {epoch + 1} is {logs['loss']}. The last "
                "checkpoint holds the epoch before."
            )
        self.history.append(
            {
                **{name: float(value) for name, value in logs.items()},
                "seconds": self._seconds,
                "with_compilation": epoch == self._first,
            }
        )
        self._history.assign(json.dumps(self.history))
        self._manager.save()


def cost(settings, steps_per_epoch, history):
    """Counts the work: gradients computed, seconds spent."""
    steps = settings.epochs * steps_per_epoch
    passes = steps * (settings.ascent_steps + 1)
    steady = [e["seconds"] for e in history if not e["with_compilation"]]
    return {
        "steps": steps,
        # One for each pass over a batch, or over a part of a split batch.
        "gradient_evaluations": passes * (settings.num_batch_splits or 1),
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
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
            "keras_sam": keras_sam.__version__,
        },
        "devices": [
            tf.config.experimental.get_device_details(device).get(
                "device_name", device.name
            )
            for device in tf.config.list_physical_devices()
        ],
    }
