"""Checkpoints of TensorFlow as backups of a training.

TensorFlow's `CheckpointManager` writes a checkpoint aside and then replaces
the file `checkpoint`, which names it, in one piece.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_sam._backend import replicas
from keras_sam._training import backups

_PROGRESS = "progress/.ATTRIBUTES/py_state"


class _Progress(tf.train.experimental.PythonState):
    """A dict that a checkpoint holds as JSON."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content

    def serialize(self) -> str:
        return json.dumps(self.content)

    def deserialize(self, string_value: str) -> None:
        self.content = json.loads(string_value)


class Checkpoints(backups.Backups):
    """The backups of one training, as checkpoints of TensorFlow."""

    def _paths(self) -> list[str]:
        """Returns the paths of all backups that the state file names.

        The last one is the newest, also where a user has named an older one.
        """
        try:
            state = tf.train.get_checkpoint_state(self._directory)
        except ValueError:
            state = None
        if state:
            newest = state.model_checkpoint_path
            known = state.all_model_checkpoint_paths
            return [*(path for path in known if path != newest), newest]
        if tf.io.gfile.exists(os.path.join(self._directory, "checkpoint")):
            raise ValueError(
                f"{self._directory}/checkpoint cannot be read, so the newest "
                "backup is not known. It must be a text with the line "
                f"{_pointer('NAME')}, NAME being one of the backups there"
            )
        return []

    def _names(self) -> list[str]:
        if not tf.io.gfile.isdir(self._directory):
            return []
        return tf.io.gfile.listdir(self._directory)

    def _read(self, path: str, all_bytes: bool) -> dict[str, Any]:
        reader = tf.train.load_checkpoint(path)
        progress = json.loads(reader.get_tensor(_PROGRESS))
        if all_bytes:
            for key in reader.get_variable_to_shape_map():
                reader.get_tensor(key)  # Checks its checksum.
        return progress

    def _assign(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        checkpoint = tf.train.Checkpoint(**{kind: _values(variables)})
        status = checkpoint.restore(self.latest).expect_partial()
        status.assert_existing_objects_matched()

    def _write(
        self,
        number: int,
        progress: Mapping[str, Any],
        variables: Mapping[str, Sequence[keras.Variable]],
        strategy: Any,
    ) -> str:
        checkpoint = tf.train.Checkpoint(
            progress=_Progress(progress),
            **{kind: _values(group) for kind, group in variables.items()},
        )
        if replicas.is_chief(strategy):
            manager = tf.train.CheckpointManager(
                checkpoint, self._directory, self._max_to_keep
            )
            manager.save(checkpoint_number=number)
        else:
            with tempfile.TemporaryDirectory() as directory:
                checkpoint.write(os.path.join(directory, "ckpt"))
        return os.path.join(self._directory, f"ckpt-{number}")

    def _way_to(self, name: str, damaged: str) -> str:
        del damaged
        return (
            f"write the line {_pointer(name)} into {self._directory}/checkpoint"
        )


def _pointer(name: str) -> str:
    return f'model_checkpoint_path: "{name}"'


def _values(variables: Sequence[keras.Variable]) -> list:
    return [variable.value for variable in variables]
