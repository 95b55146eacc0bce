"""Models that use `tf.Variable`s besides Keras variables."""

import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.support import testing


def sam(**arguments):
    return lambda model: keras_sam.SAM(model, **arguments)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Returns a layer's weights, and the path of its SavedModel."""
    keras.utils.set_random_seed(5)
    layer = keras.layers.Dense(5, activation="tanh")
    model = keras.Sequential([keras.Input((6,)), layer])
    path = str(tmp_path_factory.mktemp("saved"))
    model.export(path, verbose=False)
    return layer.get_weights(), path


def on_features(saved, trainable=False, stopped=False, rebuilt=False):
    """Returns a function that makes a head on the layer of a SavedModel.

    Args:
        saved: The fixture.
        trainable: Bool, whether Keras would train the layer.
        stopped: Bool, whether its outputs stop gradients.
        rebuilt: Bool, whether the layer is made with Keras instead.
    """
    weights, path = saved

    def make():
        layer = keras.layers.TFSMLayer(
            path, call_endpoint="serve", trainable=trainable
        )
        if rebuilt:
            kernel, bias = map(keras.initializers.Constant, weights)
            layer = keras.layers.Dense(
                5, "tanh", True, kernel, bias, trainable=False
            )
        inputs = keras.Input((6,))
        features = layer(inputs)
        if stopped:
            features = keras.ops.stop_gradient(features)
        head = keras.layers.Dense(
            3, kernel_initializer=keras.initializers.GlorotUniform(2)
        )
        return keras.Model(inputs, head(features))

    return make


def head(result):
    return getattr(result[0], "model", result[0]).layers[-1].get_weights()


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    "how", [{}, {"trainable": True, "stopped": True}], ids=str
)
def test_a_saved_model_below_a_head(saved, how, mode):
    settings = testing.MODES[mode]
    make = on_features(saved, **how)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The loss depends on")
        plainly = testing.train(make, sam(ascent_steps=0), **settings)
        moved = testing.train(
            make, sam(ascent_steps=2, perturb="dense"), **settings
        )
    plain = testing.train(make, **settings)
    same = testing.train(
        on_features(saved, rebuilt=True), sam(ascent_steps=2), **settings
    )
    np.testing.assert_equal(head(plainly), head(plain))
    for a, b in zip(head(moved), head(same), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_saved_model_cannot_be_moved(saved, mode):
    make = on_features(saved, trainable=True)
    with pytest.raises(ValueError, match="Freeze its layer.*kernel"):
        testing.train(make, sam(), **testing.MODES[mode])


class Scaled(keras.layers.Layer):
    """Multiplies by a `tf.Variable`, which Keras does not train."""

    def __init__(self):
        super().__init__()
        self.factor = tf.Variable(2.0, name="factor")

    def call(self, x):
        return self.factor * x


def scaled_net():
    return keras.Sequential([testing.dense_net(), Scaled()])


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_what_keras_does_not_train_is_said(mode):
    settings = testing.MODES[mode]
    with pytest.warns(UserWarning, match="Keras does not train.*factor"):
        plainly = testing.train(scaled_net, sam(ascent_steps=0), **settings)
    testing.assert_same(plainly, testing.train(scaled_net, **settings))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
