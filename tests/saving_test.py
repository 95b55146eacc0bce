"""Tests that a wrapper comes back from a file as it was saved.

Resumed training is the uninterrupted one, to the bit.
"""

import copy
import dataclasses
import inspect
import pickle
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras import ops

from tests import testing  # isort: skip

import keras_sam
from keras_sam import descents
from keras_sam import directions

SCHEDULES = keras.optimizers.schedules
register = keras.saving.register_keras_serializable("saving_test")


@register
@dataclasses.dataclass(frozen=True)
class Inertia(keras_sam.Part):
    """A direction that remembers: a running sum of gradients, and its age."""

    decay: float = 0.5

    def init(self, params):
        return {"sum": [ops.zeros_like(w) for w in params], "age": ops.zeros(())}

    def __call__(self, grads, params, memory):
        total = [
            self.decay * old + new
            for old, new in zip(memory["sum"], grads, strict=True)
        ]
        return total, {"sum": total, "age": memory["age"] + 1}


@register
def is_kernel(variable):
    return variable.name == "kernel"


@register
class Late(keras.Model):
    """Has no variables before the first batch."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.logits = layers.Dense(3)

    def call(self, inputs, training=None):
        return self.logits(self.drop(self.norm(self.hidden(inputs))))


def net(dtype=None):
    """Returns a model with batch statistics and two kinds of seeds."""
    inputs = keras.Input((6,))
    x = layers.Dense(8, dtype=dtype)(inputs)
    x = layers.BatchNormalization(dtype=dtype)(x)
    x = layers.Dropout(0.3, seed=7, dtype=dtype)(x)
    x = layers.Dropout(0.3, dtype=dtype)(x)
    outputs = layers.Dense(3, dtype=dtype)(x)
    return keras.Model(inputs, outputs)
