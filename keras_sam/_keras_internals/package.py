"""Keras, as the package that has private names."""

import keras

from keras_sam import _private_names

KERAS = _private_names.Package("Keras", "3.14 and 3.15", keras.__version__)
