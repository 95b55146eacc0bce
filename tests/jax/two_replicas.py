"""Two replicas of TensorFlow: what two devices of JAX must train, too.

Run as a program, on TensorFlow, this trains under `MirroredStrategy` from the
weights in a file, and writes the weights of then into another file.
"""

import sys

import keras
import numpy as np

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from tests.support import testing

STEPS = 3
SETTINGS = {
    "sam": {},
    "mean of three": {"ascent_steps": 3, "descent": descents.Mean()},
    "friendly, every second step": {
        "direction": directions.Friendly(0.75, 0.5),
        "cadence": cadences.Every(2),
    },
    "together": {"sync_perturbations": True},
}


def network(name):
    """Returns a model with a regularizer, and with batch statistics.

    Devices of JAX that climb together normalize by the whole batch, replicas of
    TensorFlow each by its own part. So that model has no statistics.
    """
    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, kernel_regularizer="l2", name="hidden")(inputs)
    if name == "together":
        x = keras.layers.Activation("tanh")(x)
    else:
        x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


def wrapped(name, weights):
    """Returns the compiled wrapper of a setting.

    Args:
        name: String, a key of `SETTINGS`.
        weights: Dict of arrays, which has the weights of the model under names
            that begin with the name of the setting.
    """
    model = network(name)
    model.set_weights(
        [weights[f"{name}/{i}"] for i in range(len(model.weights))]
    )
    sam = keras_sam.SAM(model, rho=0.5, **SETTINGS[name])
    # TensorFlow's cast of 0.9 to float32 rounds otherwise.
    sam.compile(
        keras.optimizers.SGD(0.125, momentum=0.75), testing.cross_entropy()
    )
    return sam


def main(before, after):
    """Trains each setting; the file `before` has the weights, and x and y."""
    given = dict(np.load(before))
    x, y = given.pop("x"), given.pop("y")
    found = {}
    for name in SETTINGS:
        with testing.two_replicas().scope():
            sam = wrapped(name, given)
            sam.optimizer.build(sam.trainable_variables)
        for _ in range(STEPS):
            testing.replicated_step(sam, x, y)
        for index, value in enumerate(sam.model.get_weights()):
            found[f"{name}/{index}"] = value
    np.savez(after, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
