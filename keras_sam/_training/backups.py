"""What the backups of all backends do alike.

A backup holds the progress of a training, a description of its variables, and
their values. A backup of another model, or a damaged one, is refused before
any variable changes.
"""

import itertools
import os
import re
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

_SHOWN = 3  # Differences in a message.
_START: dict[str, Any] = {"epoch": 0, "step": 0, "logs": {}, "history": []}
# The names of the files of backups, by backend.
FILES = {
    "jax": re.compile(r"ckpt-\d+\.keras"),
    "tensorflow": re.compile(r"ckpt-\d+\.index"),
}


class Backups:
    """The backups of one training. A backend has a subclass.

    Args:
        directory: String or path. It need not exist.
        max_to_keep: Int, at least 1: the number of backups kept.

    Attributes:
        latest: String, the path of the newest backup, or None.
        progress: Dict that the newest backup holds: the epochs finished, the
            steps done in the next epoch, the logs of the last step, and the
            logs of each epoch.

    Raises:
        ValueError: If the newest backup is damaged or none of ours, or if all
            backups there are of another backend.
    """

    def __init__(self, directory: str | os.PathLike, max_to_keep: int) -> None:
        self._directory = os.fspath(directory)
        self._max_to_keep = max_to_keep
        paths = self._paths()
        if not paths:
            self._check_not_foreign()
        self.latest = paths[-1] if paths else None
        self.progress = self._checked(self.latest) if self.latest else _START

    def check(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        """Raises ValueError unless the newest backup holds the variables.

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
        """Raises ValueError if a byte of the newest backup is damaged."""
        if self.latest:
            self._checked(self.latest, all_bytes=True)

    def restore(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        """Assigns the values in the newest backup to variables.

        Args:
            kind: String, the name under which they were saved.
            variables: List of the Keras variables that were saved.
        """
        self.check(kind, variables)
        self._assign(kind, variables)

    def save(
        self,
        progress: Mapping[str, Any],
        variables: Mapping[str, Sequence[keras.Variable]],
        strategy: Any = None,
    ) -> None:
        """Writes a backup, then deletes old ones.

        Several workers must call it together: some variables can only be read
        by all of them at once. The first worker writes.

        Args:
            progress: Dict that JSON can hold, see the attribute `progress`.
            variables: Dict from a kind to a list of Keras variables.
            strategy: `tf.distribute.Strategy` of the training, or Keras's
                distribution on JAX.
        """
        progress = {
            **progress,
            "variables": {k: _described(v) for k, v in variables.items()},
        }
        number = 1 + _number(self.latest) if self.latest else 1
        self.latest = self._write(number, progress, variables, strategy)
        self.progress = progress

    def _check_not_foreign(self) -> None:
        """Raises ValueError if another backend has saved the training.

        Without backups of its own a training would begin anew.
        """
        here = keras.backend.backend()
        for name, (backend, pattern) in itertools.product(
            self._names(), FILES.items()
        ):
            if backend != here and pattern.fullmatch(name):
                raise ValueError(
                    f"The backups in {self._directory} must be of the backend "
                    f"{here!r}. Received: {name}, which is of the backend "
                    f"{backend!r}. Go on with KERAS_BACKEND={backend}, or give "
                    "this training a directory of its own; `sam.save` writes a "
                    "file that all backends can load"
                )

    def _checked(self, path: str, all_bytes: bool = False) -> dict[str, Any]:
        """Returns the progress in a backup."""
        try:
            return self._read(path, all_bytes)
        except Exception as error:  # The readers raise errors of many types.
            raise ValueError(
                f"{path}, the newest backup in {self._directory}, is damaged "
                "or not one of keras_sam.BackupAndRestore. "
                f"{self._others(path)} Received: {error}"
            ) from error

    def _others(self, damaged: str) -> str:
        """Says which backup is good, and how to go on from it."""
        for path in reversed(self._paths()):
            if path == damaged:
                continue
            try:
                progress = self._read(path, all_bytes=True)
            except Exception:
                continue
            name = os.path.basename(path)
            return (
                f"The older {name} (epoch {progress['epoch']}, step "
                f"{progress['step']}) is whole; to go on from it, "
                f"{self._way_to(name, damaged)}."
            )
        return "No older one is whole: start again in another directory."

    # What a backend has.

    def _paths(self) -> list[str]:
        """Returns the paths of all backups, the newest last."""
        raise NotImplementedError

    def _names(self) -> list[str]:
        """Returns the names of the files in the directory, if it exists."""
        raise NotImplementedError

    def _read(self, path: str, all_bytes: bool) -> dict[str, Any]:
        """Returns the progress in a backup.

        Args:
            path: String, the path of the backup.
            all_bytes: Bool, whether to check every byte.

        Raises:
            Exception: If the backup is damaged.
        """
        raise NotImplementedError

    def _assign(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        """Assigns the values in the newest backup to variables."""
        raise NotImplementedError

    def _write(
        self,
        number: int,
        progress: Mapping[str, Any],
        variables: Mapping[str, Sequence[keras.Variable]],
        strategy: Any,
    ) -> str:
        """Writes a backup whole or not at all; returns its path."""
        raise NotImplementedError

    def _way_to(self, name: str, damaged: str) -> str:
        """Says what a user must do to go on from an older backup."""
        raise NotImplementedError


def _number(path: str) -> int:
    """Returns the number of the backup at a path such as `folder/ckpt-3`."""
    return int(re.findall(r"ckpt-(\d+)", os.path.basename(path))[-1])


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
