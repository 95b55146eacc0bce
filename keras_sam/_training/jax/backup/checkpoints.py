"""Files of Keras as backups of a training on JAX.

A `.keras` file is a zip archive, and holds a checksum of each of its members.
Here `config.json` has the progress of the training, and `model.weights.h5` the
values. A backup is written under another name first and then renamed, so it is
there whole or not at all. The newest backup is the one with the highest number.

Not Orbax: version 0.12 restores a weight with a flipped bit without an error.
"""

import contextlib
import json
import os
import zipfile
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam._backend import values
from keras_sam._training import agreement
from keras_sam._training import backups

_Groups = Mapping[str, Sequence[keras.Variable]]


class Checkpoints(backups.Backups):
    """The backups of one training, as `.keras` files.

    A file has the whole value of each variable, however devices share it. So a
    training may go on with another number of devices or processes.

    Raises:
        ValueError: If the newest backup is damaged or none of ours, or if
            `directory` is an address such as gs://bucket.
    """

    def __init__(self, directory: str | os.PathLike, max_to_keep: int) -> None:
        if "://" in os.fspath(directory):
            raise ValueError(
                "`directory` must be a folder on a disk of this machine, or on "
                "one that is mounted there, on the JAX backend. Received: "
                f"{directory!r}"
            )
        super().__init__(directory, max_to_keep)

    def _paths(self) -> list[str]:
        names = filter(backups.FILES["jax"].fullmatch, self._names())
        return [
            os.path.join(self._directory, name)
            for name in sorted(names, key=lambda name: int(name[5:-6]))
        ]

    def _names(self) -> list[str]:
        if not os.path.isdir(self._directory):
            return []
        return os.listdir(self._directory)

    def _read(self, path: str, all_bytes: bool) -> dict[str, Any]:
        with zipfile.ZipFile(path) as archive:
            progress = json.loads(archive.read("config.json"))["config"]
            damaged = archive.testzip() if all_bytes else None
        if damaged:
            raise ValueError(f"the checksum of {damaged} is wrong")
        # A model of another kind has no such config.
        return progress["progress"]

    def _assign(self, kind: str, variables: Sequence[keras.Variable]) -> None:
        _Content({}, {kind: variables}).load_weights(self.latest)

    def _write(
        self,
        number: int,
        progress: Mapping[str, Any],
        variables: _Groups,
        strategy: Any,
    ) -> str:
        path = os.path.join(self._directory, f"ckpt-{number}.keras")
        with agreement.writing(strategy, path) as place:
            if place == path:
                os.makedirs(self._directory, exist_ok=True)
                with _whole_or_not_at_all(path) as unfinished:
                    _Content(progress, variables).save(unfinished)
                for old in self._paths()[: -self._max_to_keep]:
                    os.remove(old)
            else:
                for variable in _flat(variables):
                    values.array(variable.value)
        return path

    def _way_to(self, name: str, damaged: str) -> str:
        return f"move {os.path.basename(damaged)} to another folder"


class _Content(keras.Model):
    """What is in a backup, as a model that Keras can save.

    Args:
        progress: Dict that JSON can hold.
        groups: Dict from a kind to a list of Keras variables. They stay
            variables of their own model alone.
    """

    def __init__(self, progress: Mapping[str, Any], groups: _Groups) -> None:
        super().__init__()
        self.built = True
        self._progress = lambda: progress  # Keras would take a dict for layers.
        self._groups = lambda: groups

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables. Keras asks how large they are before it saves them."""
        return _flat(self._groups())

    def get_config(self) -> dict[str, Any]:
        """Returns the progress."""
        return {"progress": self._progress()}

    def save_own_variables(self, store: Any) -> None:
        """Saves all variables."""
        for kind, variables in self._groups().items():
            for index, variable in enumerate(variables):
                store[f"{kind}_{index}"] = values.array(variable.value)

    def load_own_variables(self, store: Any) -> None:
        """Loads the variables of the kinds that are given."""
        for kind, variables in self._groups().items():
            for index, variable in enumerate(variables):
                variable.assign(store[f"{kind}_{index}"])


def _flat(groups: _Groups) -> list[keras.Variable]:
    return [variable for group in groups.values() for variable in group]


@contextlib.contextmanager
def _whole_or_not_at_all(path: str) -> Iterator[str]:
    """Yields a path to write to, which becomes `path` in one piece."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f"unfinished-{name}")
    yield unfinished
    _to_disk(unfinished)
    os.replace(unfinished, path)
    _to_disk(folder)


def _to_disk(path: str) -> None:
    """Waits until a file or folder is on the disk, for a machine that fails."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
