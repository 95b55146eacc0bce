"""Callbacks that measure while `fit` trains, and that save and resume it."""

from keras_sam.callbacks._backup import BackupAndRestore
from keras_sam.callbacks._landscape import Landscape

__all__ = [
    "BackupAndRestore",
    "Landscape",
]
