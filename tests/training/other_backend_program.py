"""Loads files and goes on training, for `other_backend_test.py`."""

import contextlib
import json
import sys

import keras
import numpy as np

from tests.support import testing  # isort: skip

import keras_sam
from keras_sam import radii
from tests.support import handed_draws

PRECISIONS = {"float32": contextlib.nullcontext, "float64": testing.float64}


def normalized():
    """Returns a model without dropout, whose draws differ by backend."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(
        8, kernel_regularizer=keras.regularizers.L2(2**-7), name="hidden"
    )(inputs)
    x = keras.layers.BatchNormalization(
        momentum=0.75, epsilon=2**-10, name="norm"
    )(x)
    x = keras.layers.Activation("tanh")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


NETS = {"normalized": normalized, "dropout": testing.full_net}


# Arguments with each part that has a memory.
PARTS = {
    "averaged": {"direction": testing.Averaged(0.75)},
    **testing.STATEFUL,
}


def made(net, parts="averaged"):
    """Returns a compiled wrapper with all that a file may hold.

    All numbers that Keras gets are floats of 32 bits: TensorFlow rounds some.
    """
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(NETS[net](), rho=radii.Settable(0.125), **PARTS[parts])
    sam.compile(
        keras.optimizers.SGD(0.125, momentum=0.875), testing.cross_entropy()
    )
    sam.optimizer.build(sam.trainable_variables)
    return sam


def train(sam, examples):
    """Does a few steps."""
    x, y = testing.data(24, seed=examples)
    x = x.astype(keras.config.floatx())
    sam.fit(x, y, batch_size=8, shuffle=False, verbose=0)


def values(sam):
    """Returns all values: weights, state, seeds, memory, radius and slots."""
    variables = [*sam.variables, *sam.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def loaded(path, net):
    """Returns the wrapper in a file."""
    if path.endswith(".keras"):
        return keras.saving.load_model(path)
    sam = made(net)
    sam.load_weights(path)
    return sam


def go_on(path, net, precision):
    """Returns (the values in a file, the values after further training)."""
    with PRECISIONS[precision]():
        sam = loaded(path, net)
        first = values(sam)
        train(sam, 1)
        return first, values(sam)


if __name__ == "__main__":
    net, precision, paths = json.loads(sys.argv[1])
    with handed_draws.handed_over():
        for path in paths:
            first, last = go_on(path, net, precision)
            np.savez(f"{path}-first.npz", *first)
            np.savez(f"{path}-last.npz", *last)
