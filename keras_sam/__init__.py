"""Sharpness-aware minimization (SAM) for Keras 3."""

from keras_sam import backend as _backend  # noqa: F401, I001  Before the rest.
from keras_sam import cadences as cadences
from keras_sam import callbacks as callbacks
from keras_sam import descents as descents
from keras_sam import directions as directions
from keras_sam import landscape as landscape
from keras_sam import radii as radii
from keras_sam import recipes as recipes
from keras_sam import samples as samples
from keras_sam import starts as starts
from keras_sam.backup import BackupAndRestore as BackupAndRestore
from keras_sam.model import (
    SharpnessAwareMinimization as SharpnessAwareMinimization,
)
from keras_sam.parts import Part as Part

SAM = SharpnessAwareMinimization
__version__ = "0.1.0"
