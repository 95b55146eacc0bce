"""Checkpoints of a training in a directory: written whole, read with care.

TensorFlow's `CheckpointManager` writes a checkpoint aside and then replaces
the file `checkpoint`, which names it, in one piece. Here a checkpoint also
holds the progress of the training and a description of the variables. A
checkpoint of another model, or a damaged one, is refused before any variable
changes.
"""

import itertools
import json
import os
import re
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

_PROGRESS = "progress/.ATTRIBUTES/py_state"
_SHOWN = 3  # Differences in a message.
_START: dict[str, Any] = {"epoch": 0, "step": 0, "logs": {}, "history": []}


class _Progress(tf.train.experimental.PythonState):
    """A dict that a checkpoint holds as JSON."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def serialize(self) -> str:
        return json.dumps(self.content)

    def deserialize(self, string_value: str) -> None:
        self.content = json.loads(string_value)


class Checkpoints:
    """The checkpoints of one training.

    Args:
        directory: String or path. It need not exist.
        max_to_keep: Int, at least 1: the number of checkpoints kept.

    Attributes:
        latest: String, the path of the newest checkpoint, or None.
        progress: Dict that the newest checkpoint holds: the epochs finished,
            the steps done in the next epoch, the logs of the last step, and the
            logs of each epoch.

    Raises:
        ValueError: If the newest checkpoint is damaged or none of ours.
    """

    def __init__(self, directory: str | os.PathLike, max_to_keep: int) -> None:
        self._directory = os.fspath(directory)
        self._max_to_keep = max_to_keep
        self.latest = self._newest()
        self.progress = self._read(self.latest) if self.latest else _START

    def check(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        """Raises ValueError unless the newest checkpoint holds the variables.

        Args:
            kind: String, the name under which they were saved.
            variables: List of Keras variables.
        """
        there = self.progress["variables"][kind]
        here = _described(variables)
        differing = [
            f"{kind} {number}: {_text(old)} there, {_text(new)} here"
            for number, (old, new) in enumerate(
                itertools.zip_longest(there, here)
            )
            if old != new
        ]
        if differing:
            raise ValueError(
                f"{self.latest} is of another model, optimizer or metrics. "
                "Give each training a directory of its own. Differing: "
                + "; ".join(differing[:_SHOWN])
                + f" ({len(differing)} in all)"
            )

    def verify(self) -> None:
        """Raises ValueError if a byte of the newest checkpoint is damaged."""
        if self.latest:
            self._read(self.latest, all_tensors=True)

    def restore(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        """Assigns the values in the newest checkpoint to variables.

        Args:
            kind: String, the name under which they were saved.
            variables: List of the Keras variables that were saved.
        """
        self.check(kind, variables)
        checkpoint = tf.train.Checkpoint(**{kind: _values(variables)})
        status = checkpoint.restore(self.latest).expect_partial()
        status.assert_existing_objects_matched()

    def save(
        self,
        progress: Mapping[str, Any],
        variables: Mapping[str, Sequence[keras.Variable]],
        chief: bool = True,
    ) -> None:
        """Writes a checkpoint, then deletes old ones.

        Several workers must call it together: some variables can only be read
        by all of them at once.

        Args:
            progress: Dict that JSON can hold, see the attribute `progress`.
            variables: Dict from a kind to a list of Keras variables.
            chief: Bool. The other workers write to a place of their own, and
                delete it.
        """
        progress = {
            **progress,
            "variables": {k: _described(v) for k, v in variables.items()},
        }
        checkpoint = tf.train.Checkpoint(
            progress=_Progress(progress),
            **{kind: _values(group) for kind, group in variables.items()},
        )
        number = 1 + int(self.latest.rpartition("-")[2]) if self.latest else 1
        if chief:
            manager = tf.train.CheckpointManager(
                checkpoint, self._directory, self._max_to_keep
            )
            manager.save(checkpoint_number=number)
        else:
            with tempfile.TemporaryDirectory() as directory:
                checkpoint.write(os.path.join(directory, "ckpt"))
        self.latest = os.path.join(self._directory, f"ckpt-{number}")
        self.progress = progress

    def _newest(self) -> str | None:
        """Returns the path of the checkpoint that the state file names."""
        try:
            state = tf.train.get_checkpoint_state(self._directory)
        except ValueError:
            state = None
        if state:
            return state.model_checkpoint_path
        if tf.io.gfile.exists(os.path.join(self._directory, "checkpoint")):
            raise ValueError(
                f"{self._directory}/checkpoint cannot be read, so the newest "
                "backup is not known. It must be a text with the line "
                f"{_pointer('NAME')}, NAME being one of the backups there"
            )
        return None

    def _read(self, path: str, all_tensors: bool = False) -> dict[str, Any]:
        """Returns the progress in a checkpoint."""
        try:
            return _read(path, all_tensors)
        except Exception as error:  # TensorFlow raises errors of many types.
            raise ValueError(
                f"{path}, the newest backup in {self._directory}, is damaged "
                "or not one of keras_sam.BackupAndRestore. "
                f"{self._others(path)} Received: {error}"
            ) from error

    def _others(self, damaged: str) -> str:
        """Says which checkpoints are good, and how to go on from one."""
        state = tf.train.get_checkpoint_state(self._directory)
        good = []
        for path in reversed(state.all_model_checkpoint_paths):
            try:
                progress = path != damaged and _read(path, all_tensors=True)
            except Exception:
                progress = None
            if progress:
                good.append((os.path.basename(path), progress))
        if not good:
            return "No older one is whole: start again in another directory."
        name, progress = good[0]
        return (
            f"The older {name} (epoch {progress['epoch']}, step "
            f"{progress['step']}) is whole; to go on from it, write the line "
            f"{_pointer(name)} into {self._directory}/checkpoint."
        )


def _read(path: str, all_tensors: bool) -> dict[str, Any]:
    reader = tf.train.load_checkpoint(path)
    progress = json.loads(reader.get_tensor(_PROGRESS))
    if all_tensors:
        for key in reader.get_variable_to_shape_map():
            reader.get_tensor(key)  # Checks its checksum.
    return progress


def _pointer(name: str) -> str:
    return f'model_checkpoint_path: "{name}"'


def _values(variables: Sequence[keras.Variable]) -> list:
    return [variable.value for variable in variables]


def _described(variables: Sequence[keras.Variable]) -> list[list]:
    """Returns [path, dtype, shape] of each variable, for JSON.

    Paths are without the numbers in names such as dense_1, which say how many
    layers the process has made before.
    """
    return [
        [re.sub(r"_\d+(?![^_/])", "", v.path), str(v.dtype), list(v.shape)]
        for v in variables
    ]


def _text(description: Sequence | None) -> str:
    if description is None:
        return "nothing"
    path, dtype, shape = description
    return f"{path} {dtype} {tuple(shape)}"
