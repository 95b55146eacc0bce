"""Losses with known derivatives, for the tests of landscapes."""

import keras
import numpy as np
from keras import ops

from keras_sam import landscape
from tests.support import oracle
from tests.support import testing


class Quadratic(keras.Model):
    """Outputs `w H w / 2 + x w` for each example x, which is its loss."""

    def __init__(self, hessian, w):
        super().__init__()
        self.hessian = np.array(hessian)
        self.w = self.add_weight(shape=(len(w),), name="w")
        self.w.assign(w)

    def call(self, x):
        hessian = ops.cast(self.hessian, self.w.dtype)
        curved = ops.matmul(self.w, ops.matmul(hessian, self.w)) / 2
        return curved + ops.matmul(x, self.w[:, None])


def quadratic(hessian, w, slopes, loss=lambda y, y_pred: y_pred, **arguments):
    """Returns the `Landscape` of a `Quadratic`, with slopes as its examples."""
    model = Quadratic(hessian, w)
    model.compile("sgd", loss)
    slopes = np.array(slopes, "float64")
    return landscape.Landscape(model, slopes, slopes[:, :1], **arguments)


def weights(seed=1):
    """Returns float64 weights of `testing.dense_net`."""
    random = np.random.RandomState(seed)
    return [random.normal(size=s) for s in ((6, 8), (8,), (8, 3), (3,))]


def data(examples=13):
    """Returns (x, y) for `testing.dense_net`, with x in float64."""
    x, y = testing.data(examples)
    return x.astype("float64"), y


def net(**arguments):
    """Returns the `Landscape` of `testing.dense_net` at `weights`."""
    model = testing.dense_net()
    model.compile("sgd", testing.cross_entropy())
    model.set_weights(weights())
    return landscape.Landscape(model, *data(), **arguments)


def parts(size):
    """Returns the batches of `data`."""
    x, y = data()
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(y), size)]


def dot(a, b):
    """Inner product over all arrays together."""
    return sum(np.sum(c * d) for c, d in zip(a, b))


def cosine(a, b):
    """Cosine of the angle of two lists of arrays."""
    return dot(a, b) / oracle.length(a) / oracle.length(b)


def snapshot(model):
    """Returns the values of all variables that a model holds."""
    variables = [
        *model.variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    ]
    return [v.numpy() for v in variables]
