"""Backups of `BackupAndRestore` in a directory, as either backend has them."""

import json
import os
import zipfile

from tests.support import engine

# The end of the name of the file with the values of a backup.
VALUES = ".keras" if engine.JAX else ".data-00000-of-00001"
# Files beside the backups.
OTHERS = set() if engine.JAX else {"checkpoint"}


def paths(directory):
    """Returns the paths of all backups there, the newest last."""
    if not engine.JAX:
        state = engine.tf.train.get_checkpoint_state(directory)
        return list(state.all_model_checkpoint_paths)
    found = directory.glob("ckpt-*.keras")
    return sorted(map(str, found), key=lambda path: (len(path), path))


def progress(path):
    """Returns the progress in a backup."""
    if engine.JAX:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("config.json"))["config"]["progress"]
    reader = engine.tf.train.load_checkpoint(path)
    return json.loads(reader.get_tensor("progress/.ATTRIBUTES/py_state"))


def saved(directory):
    """Returns (epoch, step) of each backup there, the newest last."""
    found = map(progress, paths(directory))
    return [(each["epoch"], each["step"]) for each in found]


def newest(directory, suffix=VALUES):
    """Returns the path of a file of the newest backup."""
    name = os.path.basename(paths(directory)[-1]).removesuffix(suffix)
    return directory / f"{name}{suffix}"


def names(directory):
    """Returns the names of all that is in a directory, without endings."""
    return {name.partition(".")[0] for name in os.listdir(directory)}
