"""A function under `tf.function` that would keep old weights is refused."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from tests.support import testing


class Layer(keras.layers.Layer):
    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")


class Always(Layer):
    """Its function is traced when the model is built."""

    @tf.function
    def scaled(self, inputs):
        return self.scale * inputs

    def call(self, inputs):
        return self.scaled(inputs)


class InTraining(Layer):
    """Its function is traced in a pass."""

    @tf.function
    def scaled(self, inputs):
        return self.scale * inputs

    def call(self, inputs, training=None):
        return self.scaled(inputs) if training else self.scale * inputs


class InConditional(Layer):
    """Its function reads the weight in a conditional."""

    @tf.function
    def scaled(self, inputs):
        return tf.cond(
            tf.reduce_sum(inputs) > 0,
            lambda: self.scale * inputs,
            lambda: inputs,
        )

    def call(self, inputs, training=None):
        return self.scaled(inputs) if training else inputs


class Attribute(Layer):
    """Its function is an attribute."""

    def build(self, input_shape):
        super().build(input_shape)
        self.scaled = tf.function(lambda inputs: self.scale * inputs)

    def call(self, inputs, training=None):
        return self.scaled(inputs) if training else self.scale * inputs


class NamedAsOfTensorFlow(Layer):
    """`tf.vectorized_map` calls its own function so."""

    @tf.function
    def f(self, inputs):
        return self.scale * inputs

    def call(self, inputs, training=None):
        return self.f(inputs) if training else self.scale * inputs


@tf.function
def scaled(layer, inputs):
    return layer.scale * inputs


class Outside(Layer):
    """Its function is none of its methods."""

    def call(self, inputs, training=None):
        return scaled(self, inputs) if training else self.scale * inputs


def net(layer):
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), layer])


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Always, "Always.scaled"),
        (InTraining, "'scaled'"),
        (InConditional, "'scaled'"),
        (Attribute, ""),
        (NamedAsOfTensorFlow, "'f'"),
        (Outside, "'scaled'"),
    ],
)
def test_a_function_that_keeps_weights(kind, name, run_eagerly):
    sam = keras_sam.SAM(net(kind()))
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=run_eagerly)
    before = sam.get_weights()
    with pytest.raises(
        ValueError, match=rf"(?s)must not read its weights .*{name}.*/scale"
    ):
        sam.fit(*testing.data(), verbose=0)
    for a, b in zip(before, sam.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Conditional(Layer):
    def call(self, inputs):
        return keras.ops.cond(
            keras.ops.sum(inputs) > 0,
            lambda: self.scale * inputs,
            lambda: inputs,
        )


class Mapped(Layer):
    def call(self, inputs):
        return keras.ops.map(lambda row: self.scale * row, inputs)


class Vectorized(Layer):
    """TensorFlow maps by a `tf.function`, but makes a new one in each call."""

    def call(self, inputs):
        return keras.ops.vectorized_map(lambda row: self.scale * row, inputs)


class Unread(Layer):
    """Its function reads no weight, and is used outside of training."""

    @tf.function
    def served(self, inputs):
        return self.scale * inputs

    @tf.function
    def doubled(self, inputs):
        return 2.0 * inputs

    def call(self, inputs):
        return self.scale * self.doubled(inputs)


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("kind", [Conditional, Mapped, Vectorized, Unread])
def test_what_sees_each_pass(kind, run_eagerly):
    """Two wrapped steps equal those of a layer without the construction."""

    class Plain(Layer):
        def call(self, inputs):
            return self.scale * inputs

    class Doubled(Layer):
        def call(self, inputs):
            return self.scale * (2.0 * inputs)

    class Positive(Layer):
        """What `Conditional` is, without a conditional."""

        def call(self, inputs):
            positive = keras.ops.sum(inputs) > 0
            return keras.ops.where(positive, self.scale * inputs, inputs)

    plain = {Unread: Doubled, Conditional: Positive}.get(kind, Plain)
    first, second = (
        testing.train(
            lambda: net(layer()),  # noqa: B023
            lambda model: keras_sam.SAM(model, rho=0.5),
            fit={"epochs": 1},
            run_eagerly=run_eagerly,
        )
        for layer in (kind, plain)
    )
    # The gradient of a map is a sum over rows in another order.
    testing.assert_same(first, second, atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
