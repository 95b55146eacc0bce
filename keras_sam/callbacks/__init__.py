"""Callbacks for `fit`: one measures the loss, one saves and resumes."""

from keras_sam.callbacks._backup import BackupAndRestore
from keras_sam.callbacks._landscape import Landscape

__all__ = [
    "BackupAndRestore",
    "Landscape",
]
