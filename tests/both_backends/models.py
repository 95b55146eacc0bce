"""The model, the data and the numbers that both backends start from.

All come from NumPy. What Keras rounds to float32 on TensorFlow alone, such as a
momentum, is a float of few digits.
"""

from tests.support import testing  # isort: skip

import keras
import numpy as np

from tests.training import other_backend_program

EXAMPLES = 13


def network():
    """Returns a model with batch normalization and L2, at given weights."""
    model = other_backend_program.normalized()
    random = np.random.RandomState(1)
    for variable in model.weights:
        value = random.normal(size=variable.shape)
        # A small moving variance would magnify rounding errors.
        variance = "variance" in variable.path
        variable.assign(0.5 + abs(value) if variance else value)
    return model


def optimizer():
    return keras.optimizers.SGD(0.125, momentum=0.875)


def compiled(model, optimizer=optimizer):
    """Returns the model, once it is compiled."""
    model.compile(
        optimizer(), testing.cross_entropy(), weighted_metrics=["accuracy"]
    )
    return model


def batch(seed, examples=EXAMPLES):
    """Returns (x, y), the x in the dtype of models."""
    x, y = testing.data(examples, seed=seed)
    return x.astype(keras.config.floatx()), y
