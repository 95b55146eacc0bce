"""What reaches the `call` of the inner model, where no layer calls the wrapper.

Keras's `stateless_call` takes the method `call` of a model, and does not call
the model itself. So nothing but the arguments of `call` says whether a model is
in training. Keras's `evaluate` and `predict` on JAX are made of it.
"""

import sys

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops

from tests.support import engine
from tests.support import testing

import keras_sam  # isort: skip

if not engine.JAX:
    pytest.skip("These tests need JAX", allow_module_level=True)


class Marked(layers.Layer):
    """Adds 1 in training. It is in training if nothing says otherwise."""

    def call(self, inputs, training=True):
        return inputs + 1 if training else inputs


class Heedless(keras.Model):
    """Has no argument `training`: its layers decide for themselves."""

    def __init__(self):
        super().__init__()
        self.layer = Marked()

    def call(self, inputs):
        return self.layer(inputs)


def marked():
    return keras.Sequential([keras.Input((6,)), Marked()])


@pytest.mark.parametrize("make", [marked, Heedless])
def test_loops_say_whether_a_model_trains(make):
    x, _ = testing.data()
    plain = make()
    sam = keras_sam.SAM(make())
    for model in (plain, sam):
        model.compile("sgd", "mae")
    np.testing.assert_array_equal(
        sam.predict(x, verbose=0), plain.predict(x, verbose=0)
    )
    assert sam.evaluate(x, x, verbose=0) == plain.evaluate(x, x, verbose=0)


@pytest.mark.parametrize("training", [True, False, None])
@pytest.mark.parametrize("make", [marked, Heedless])
def test_a_stateless_call_says_whether_a_model_trains(make, training):
    x, _ = testing.data()
    plain = make()
    plain(x)
    sam = keras_sam.SAM(plain)
    given = {} if make is Heedless else {"training": training}
    expected, _ = plain.stateless_call([], [], x, **given)
    found, _ = sam.stateless_call(
        sam.trainable_variables, sam.non_trainable_variables, x, **given
    )
    np.testing.assert_array_equal(found, expected)


class Penalized(keras.Model):
    """Adds up its losses itself, and updates a metric when it is called."""

    def __init__(self):
        super().__init__()
        self.logits = layers.Dense(3, activity_regularizer="l1")
        self.size = keras.metrics.Mean(name="size")

    def call(self, inputs):
        self.add_loss(ops.mean(ops.square(inputs)))
        self.size.update_state(ops.mean(ops.abs(inputs)))
        return self.logits(inputs)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        return testing.cross_entropy()(y, y_pred) + sum(self.losses)


def test_an_evaluation_has_the_losses_and_metrics_of_a_call():
    """Plain Keras fails here on JAX, where a call updates a metric."""
    x, y = testing.data()
    sam = keras_sam.SAM(Penalized(), ascent_steps=0)
    sam.compile(keras.optimizers.SGD(0.0))
    sam.fit(x, y, verbose=0)
    expected = {
        "size": np.abs(x).mean(),
        "loss": np.square(x).mean()
        + float(testing.cross_entropy()(y, sam.model(x)))
        + 0.01 * np.abs(sam.model(x)).sum() / len(x),
    }
    for logs in (
        sam.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True),
        sam.test_on_batch(x, y, return_dict=True),
        sam.train_on_batch(x, y, return_dict=True),
    ):
        assert logs == pytest.approx(expected, rel=1e-5)


class Telling(keras.Sequential):
    """Logs variables."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        rate, bias = self.optimizer.learning_rate, self.layers[-1].bias
        return {**logs, "rate": rate, "bias": ops.sum(bias)}


@pytest.mark.parametrize("eager", [False, True])
def test_a_variable_may_be_logged(eager):
    """Plain Keras fails here on JAX."""
    x, y = testing.data()
    sam = keras_sam.SAM(Telling([keras.Input((6,)), layers.Dense(3)]))
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=eager)
    logs = {k: v[0] for k, v in sam.fit(x, y, verbose=0).history.items()}
    found = sam.evaluate(x, y, verbose=0, return_dict=True)
    bias = np.array(sam.model.layers[-1].bias).sum()
    for each in (logs, found):
        assert each["rate"] == pytest.approx(0.01)
        assert each["bias"] == pytest.approx(bias)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
