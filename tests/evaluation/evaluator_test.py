"""A model as a pure function of its weights."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import _keras_internals
from keras_sam import _types
from keras_sam._backend import values
from keras_sam._evaluation import evaluator as evaluators
from keras_sam._training import write_back
from tests.support import engine
from tests.support import testing


def evaluator(model, loss=None, optimizer="sgd", replicas=1):
    model.compile(optimizer, loss or testing.cross_entropy(), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return evaluators.Evaluator(model, replicas, compiled=False)


def evaluate(found, x, y=None, sample_weight=None):
    return found(
        values.read(found.params),
        values.read(found.state),
        _types.Batch(x, y, sample_weight),
    )


def snapshot(model):
    return [v.numpy() for v in (*model.variables, *model.metrics_variables)]


def test_no_variable_changes():
    model = testing.full_net()
    x, y = testing.data()
    found = evaluator(model)
    before = snapshot(model)
    point = evaluate(found, x, y)
    for a, b in zip(before, snapshot(model), strict=True):
        np.testing.assert_array_equal(a, b)
    write_back.write_state(found, point.state)
    changed = [
        (a != b).any() for a, b in zip(before, snapshot(model), strict=True)
    ]
    names = [v.path for v in (*model.variables, *model.metrics_variables)]
    assert {n for n, c in zip(names, changed, strict=True) if c} == {
        "norm/moving_mean",
        "norm/moving_variance",
        next(n for n in names if n.endswith("seed_generator_state")),
    }


def test_loss_and_gradient_are_keras_own():
    """Regularizers, activity and all; at weights that nobody assigned."""
    model = testing.full_net()
    x, y = testing.data()
    weight = np.linspace(0, 1, len(y)).astype("float32")
    found = evaluator(model)
    shifted = [v + 0.1 for v in values.read(found.params)]
    point = found(
        shifted,
        values.read(found.state),
        _types.Batch(x, y, weight),
    )
    for variable, value in zip(found.params, shifted, strict=True):
        variable.assign(value)
    seen = []

    def loss():
        y_pred = model(x, training=True)
        seen[:] = y_pred, model.compute_loss(x, y, y_pred, weight)
        return seen[1]

    expected = engine.gradients(loss, found.params)
    for a, b in zip(point.grads, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_rows_used_twice_are_counted_twice():
    model = keras.Sequential(
        [keras.Input((2,), dtype="int32"), keras.layers.Embedding(4, 3)]
    )
    x = np.array([[1, 1], [1, 2]])
    found = evaluator(model, lambda y, y_pred: ops.sum(y_pred))
    (grad,) = evaluate(found, x, np.zeros((2, 2, 3))).grads
    assert ops.is_tensor(grad)  # Dense, not slices.
    np.testing.assert_array_equal(grad[:, 0], [0, 3, 1, 0])


class Idle(keras.layers.Layer):
    """Has a weight that the output does not depend on."""

    def build(self, input_shape):
        self.idle = self.add_weight(shape=(2,), initializer="ones", name="idle")

    def call(self, inputs):
        return inputs


def test_a_weight_without_gradient_has_zeros_inside_and_none_outside():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), Idle()])
    x, y = testing.data()
    found = evaluator(model)
    point = evaluate(found, x, y)
    np.testing.assert_array_equal(point.grads[-1], [0.0, 0.0])
    outside = write_back.grads_and_variables(found, point.grads, [])
    # JAX cannot tell; there, Keras hands on zeros, too.
    missing = [grad is None for grad, _ in outside]
    assert missing == [False, False, not engine.JAX]


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_gradients_are_in_true_units_inside(scale):
    x, y = testing.data()
    replicas = 1 if engine.JAX else 4  # On JAX Keras divides no loss.

    def point(optimizer, replicas):
        keras.utils.set_random_seed(0)
        found = evaluator(testing.dense_net(), None, optimizer, replicas)
        return found, evaluate(found, x, y)

    _, plain = point(keras.optimizers.SGD(), 1)
    optimizer = keras.optimizers.SGD(loss_scale_factor=scale)
    found, scaled = point(optimizer, replicas)
    # As if Keras had divided its loss by the number of replicas.
    np.testing.assert_array_equal(scaled.loss, replicas * plain.loss)
    outside = write_back.grads_and_variables(found, scaled.grads, [])
    for (grad, _), inside, true in zip(
        outside, scaled.grads, plain.grads, strict=True
    ):
        np.testing.assert_array_equal(inside, replicas * true)
        np.testing.assert_array_equal(grad, (scale or 1.0) * inside)


class Noise(keras.layers.Layer):
    """Draws from the global seed generator, which no layer lists."""

    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))


@testing.TENSORFLOW  # On JAX Keras refuses the layer.
def test_state_that_keras_does_not_list():
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3), Noise()]
    )
    x, y = testing.data()
    found = evaluator(model)
    first, same = evaluate(found, x, y), evaluate(found, x, y)
    np.testing.assert_array_equal(first.y_pred, same.y_pred)
    write_back.write_state(found, same.state)
    after = evaluate(found, x, y)
    assert (np.array(after.y_pred) != np.array(first.y_pred)).all()


@pytest.mark.parametrize("traced", [False, True])
def test_masks_come_along(traced):
    inputs = keras.Input((3,), dtype="int32")
    x = keras.layers.Embedding(4, 2, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(x))
    evaluator(model, "mse")

    def mask():
        found = evaluators.Evaluator(model, 1, compiled=False)
        x = ops.convert_to_tensor([[1, 2, 0]])
        point = evaluate(found, x, ops.ones((1, 3, 2)))
        return _keras_internals.mask(point.y_pred)

    mask = engine.compiled(mask, engine.TRACED[0])() if traced else mask()
    np.testing.assert_array_equal(mask, [[True, True, False]])


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
