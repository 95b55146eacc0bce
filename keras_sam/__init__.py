"""Sharpness-aware minimization (SAM) for Keras 3."""

from keras_sam import _backend  # noqa: F401, I001  Raises for another backend.
from keras_sam import cadences
from keras_sam import callbacks
from keras_sam import descents
from keras_sam import directions
from keras_sam import distribute
from keras_sam import landscape
from keras_sam import parts
from keras_sam import radii
from keras_sam import recipes
from keras_sam import samples
from keras_sam import schedules
from keras_sam import selections
from keras_sam import starts
from keras_sam import vectors
from keras_sam._registration import __version__
from keras_sam.callbacks import BackupAndRestore
from keras_sam.model import SharpnessAwareMinimization
from keras_sam.parts import Part

SAM = SharpnessAwareMinimization
__all__ = [
    "SAM",
    "BackupAndRestore",
    "Part",
    "SharpnessAwareMinimization",
    "__version__",
    "cadences",
    "callbacks",
    "descents",
    "directions",
    "distribute",
    "landscape",
    "parts",
    "radii",
    "recipes",
    "samples",
    "schedules",
    "selections",
    "starts",
    "vectors",
]
