"""The loss of each example, from that of the batch."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sam import _types
from keras_sam._backend import example_losses
from tests.support import testing as _  # noqa: F401  Before TensorFlow's devices.


def of_examples(model, x, y, sample_weight=None):
    found = example_losses.of_examples(
        model, model(x), _types.Batch(x, y, sample_weight)
    )
    return found - np.mean(found)


def centered(values):
    return values - np.mean(values)


def sequences(examples, steps=6):
    """A model of sequences, inputs and targets; the first has large ones."""
    random = np.random.RandomState(0)
    x = random.normal(size=(examples, steps, 3)).astype("float32")
    x[0] *= 10
    model = keras.Sequential([keras.Input((steps, 3)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model, x, random.normal(size=(examples, steps, 2))


# As many steps as examples: Keras would weight the steps.
@pytest.mark.parametrize("examples", [4, 6])
def test_of_sequences_they_are_summed_over_steps(examples):
    model, x, y = sequences(examples)
    by_step = np.mean((y - model(x)) ** 2, axis=2)
    np.testing.assert_allclose(
        of_examples(model, x, y), centered(by_step.mean(axis=1)), rtol=1e-4
    )


def test_weights_of_steps_count():
    model, x, y = sequences(6)
    weights = np.random.RandomState(1).uniform(size=(6, 6))
    by_step = weights * np.mean((y - model(x)) ** 2, axis=2)
    np.testing.assert_allclose(
        of_examples(model, x, y, tf.constant(weights)),
        centered(by_step.mean(axis=1)),
        rtol=1e-4,
    )


@pytest.mark.parametrize("names", [True, False])
def test_outputs_with_weights_and_without(names):
    inputs = keras.Input((3,))
    a = keras.layers.Dense(2, name="a")(inputs)
    b = keras.layers.Dense(1, name="b")(inputs)
    model = keras.Model(inputs, {"a": a, "b": b} if names else [a, b])
    model.compile("sgd", {"a": "mse", "b": "mae"} if names else ["mse", "mae"])
    random = np.random.RandomState(0)
    x, u, v = (random.normal(size=(5, n)).astype("float32") for n in (3, 2, 1))
    weight = random.uniform(size=5).astype("float32")
    outputs = model(x)
    first, second = outputs.values() if names else outputs
    expected = weight * np.mean((u - first) ** 2, axis=1)
    expected += np.mean(np.abs(v - second), axis=1)
    if names:
        found = of_examples(
            model, x, {"a": u, "b": v}, {"a": weight, "b": None}
        )
    else:
        found = of_examples(model, x, [u, v], [weight, np.ones(5, "float32")])
    np.testing.assert_allclose(found, centered(expected), rtol=1e-4)


def test_a_loss_without_sample_weights_is_an_error():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = keras.layers.Dense(2)

        def call(self, x):
            return self.layer(x)

        def compute_loss(self, x, y, y_pred, sample_weight, training):
            return tf.reduce_mean((y - y_pred) ** 2)

    model = Own()
    model.compile("sgd")
    with pytest.raises(ValueError, match="uses `sample_weight`"):
        of_examples(model, tf.ones((4, 3)), tf.ones((4, 2)))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
