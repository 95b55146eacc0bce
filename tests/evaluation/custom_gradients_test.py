"""Gradient checkpointing, and other functions with a gradient of their own.

A block that is computed again must get the gradients of one that is not, and be
computed again in every pass.
"""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from tests.support import engine
from tests.support import testing


class Block(keras.layers.Layer):
    """Two layers, and what a pass may update, in a function.

    Args:
        made: "init" or "call", where `keras.remat` is applied, or None.
        stateful: Bool, whether batch statistics and dropout are in it.
    """

    def __init__(self, made, stateful=False):
        super().__init__()
        self.first = keras.layers.Dense(8, activation="tanh")
        self.norm = keras.layers.BatchNormalization() if stateful else None
        self.drop = keras.layers.Dropout(0.3, seed=3)
        self.second = keras.layers.Dense(8, activation="tanh")
        self.stateful, self.made, self.calls = stateful, made, []
        self.function = keras.remat(self.inner) if made == "init" else None

    def inner(self, x):
        self.calls.append(None)
        x = self.first(x)
        if self.stateful:
            x = self.drop(self.norm(x, training=True), training=True)
        return self.second(x)

    def call(self, x):
        if self.made == "init":
            return self.function(x)
        return keras.remat(self.inner)(x) if self.made else self.inner(x)


def net(**block):
    def make():
        return keras.Sequential(
            [
                keras.Input((6,)),
                keras.layers.Dense(8, name="below"),
                Block(**block),
                keras.layers.Dense(3, name="above"),
            ]
        )

    return make


def scoped(**scope):
    def make():
        with keras.RematScope(**scope):
            return testing.dense_net()

    return make


def sam(**arguments):
    return lambda model: keras_sam.SAM(model, **arguments)


MULTI = {"ascent_steps": 2, "descent": keras_sam.descents.Mean()}
# Where `keras.remat` is applied, and how the step runs.
WAYS = [(m, "call") for m in testing.MODES]
if not engine.JAX:  # JAX keeps the weights of the first call: Keras fails, too.
    WAYS.append(("graph", "init"))


@pytest.mark.parametrize(("mode", "made"), WAYS)
def test_no_ascent_is_keras(made, mode):
    """With batch statistics and dropout, which Keras computes twice, too."""
    # On JAX Keras itself cannot update state there.
    make = net(made=made, stateful=not engine.JAX)
    settings = testing.MODES[mode]
    testing.assert_same(
        testing.train(make, sam(ascent_steps=0), **settings),
        testing.train(make, **settings),
    )


@pytest.mark.parametrize(("mode", "made"), WAYS)
def test_a_block_climbs_as_one_that_is_not_computed_again(made, mode):
    settings = testing.MODES[mode]
    testing.assert_same(
        testing.train(net(made=made), sam(**MULTI), **settings),
        testing.train(net(made=None), sam(**MULTI), **settings),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("scope", "mode"),
    [
        ({"mode": "activations"}, "eager"),
        ({"mode": "activations"}, "graph"),
        # Keras itself cannot train these in a graph.
        ({"mode": "full"}, "eager"),
        ({"mode": "list_of_layers", "layer_names": ["hidden"]}, "eager"),
        pytest.param(
            {"mode": "larger_than", "output_size_threshold": 2},
            "eager",
            marks=testing.TENSORFLOW,  # On JAX Keras itself cannot.
        ),
    ],
    ids=str,
)
def test_scopes(scope, mode):
    settings = testing.MODES[mode]
    make = scoped(**scope)
    testing.assert_same(
        testing.train(make, sam(ascent_steps=0), **settings),
        testing.train(make, **settings),
    )
    testing.assert_same(
        testing.train(make, sam(**MULTI), **settings),
        testing.train(testing.dense_net, sam(**MULTI), **settings),
        atol=1e-6,
    )


def test_each_pass_computes_the_block_again():
    x, y = testing.data()
    model = sam(ascent_steps=3)(net(made="call")())
    model.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    model.train_on_batch(x, y)
    calls = model.model.layers[1].calls
    calls.clear()
    model.train_on_batch(x, y)
    # Once forward, once for the gradient; JAX computes twice what it traces.
    assert len(calls) == (1 if engine.JAX else 2) * (1 + 3)


@pytest.mark.parametrize("sync", [False, True])
def test_two_replicas(sync):
    x, y = testing.data()

    def trained(made):
        with engine.two_devices():
            keras.utils.set_random_seed(1)
            model = sam(sync_perturbations=sync, **MULTI)(net(made=made)())
            model.compile("sgd", testing.cross_entropy())
            testing.replicated_step(model, x, y)
            return model.model.get_weights()

    for a, b in zip(trained("call"), trained(None), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def scaled(takes_variables):
    """Returns a layer whose function doubles the gradient of its weight."""

    class Scaled(keras.layers.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(), initializer="ones")

        def call(self, x):
            @engine.tf.custom_gradient
            def times(x):
                factor = ops.convert_to_tensor(self.factor)

                def gradient(upstream, variables=None):
                    del variables
                    of_factor = 2 * ops.sum(upstream * x)
                    return upstream * factor, [of_factor]

                def without(upstream):
                    return upstream * factor

                return x * factor, gradient if takes_variables else without

            return times(x)

    return Scaled()


# On JAX such a function takes the weights as arguments.
@testing.TENSORFLOW
@pytest.mark.parametrize("mode", testing.MODES)
def test_a_gradient_of_variables(mode):
    def make():
        return keras.Sequential([testing.dense_net(), scaled(True)])

    settings = testing.MODES[mode]
    testing.assert_same(
        testing.train(make, sam(ascent_steps=0), **settings),
        testing.train(make, **settings),
    )
    model, _ = testing.train(make, sam(rho=0.0), **settings)
    plain, _ = testing.train(make, **settings)
    np.testing.assert_allclose(
        model.model.layers[-1].factor.numpy(),
        plain.layers[-1].factor.numpy(),
        rtol=1e-6,
    )


@testing.TENSORFLOW
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_gradient_that_leaves_variables_out_is_an_error(mode):
    def make():
        return keras.Sequential([testing.dense_net(), scaled(False)])

    with pytest.raises(TypeError, match="must (take `variables`|accept)"):
        testing.train(make, sam(), **testing.MODES[mode])


EIGEN = keras_sam.directions.Eigen(0.4, period=1, iterations=1)


@testing.TENSORFLOW
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_hessian_products_are_an_error(mode):
    with pytest.raises(NotImplementedError, match="Build the.*block.*kernel"):
        testing.train(
            net(made="call"), sam(direction=EIGEN), **testing.MODES[mode]
        )


@pytest.mark.skipif(not engine.JAX, reason="TensorFlow has none")
@pytest.mark.parametrize("mode", ["eager", "xla"])
def test_hessian_products(mode):
    again, once = (
        testing.train(
            net(made=made), sam(direction=EIGEN), **testing.MODES[mode]
        )
        for made in ("call", None)
    )
    testing.assert_same(again, once, atol=1e-6)


@testing.TENSORFLOW
def test_outside_of_a_pass_all_is_as_before():
    testing.train(testing.dense_net, sam())  # Steps around TensorFlow's calls.
    tf = engine.tf
    weight = tf.Variable(3.0)

    @tf.recompute_grad
    def square(x):
        return weight * x * x

    with tf.GradientTape() as tape:
        value = square(tf.constant(2.0))
    assert tape.gradient(value, weight) == 4.0


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
