"""The steps of an optimizer."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import _keras_internals
from tests.support import engine


def built(**arguments):
    """Returns an optimizer of one variable, [1, 2], and the variable."""
    variable = keras.Variable([1.0, 2.0])
    optimizer = keras.optimizers.SGD(0.5, **arguments)
    optimizer.build([variable])
    return optimizer, variable


def test_clip():
    optimizer, _ = built(clipnorm=1.0)
    (grad,) = _keras_internals.clip(optimizer, [ops.array([3.0, 4.0])])
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-6)


def test_decay_weights():
    optimizer, variable = built(weight_decay=0.5)
    _keras_internals.decay_weights(optimizer, [variable])
    np.testing.assert_array_equal(variable, [0.75, 1.5])


def test_update():
    optimizer, variable = built(clipnorm=1.0, weight_decay=0.5)
    _keras_internals.update(optimizer, [ops.array([3.0, 4.0])], [variable])
    np.testing.assert_array_equal(variable, [-0.5, 0.0])
    assert optimizer.iterations == 0


def test_optimized():
    optimizer, variable = built()
    scaled = keras.optimizers.LossScaleOptimizer(optimizer)
    for each in (optimizer, scaled):
        (found,) = _keras_internals.optimized(each)
        assert found is variable


def test_accumulators():
    first, second = keras.Variable([1.0]), keras.Variable([2.0])
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    optimizer.build([first, second])
    optimizer.apply(
        [ops.array([3.0]), ops.array([4.0])],
        [first, second],
    )
    sums = _keras_internals.accumulators(optimizer, [second, first])
    assert [float(total[0]) for total in sums] == [4.0, 3.0]
    assert _keras_internals.steps_done(optimizer) == 1
    assert optimizer.iterations == 0
    _keras_internals.reset_accumulators(optimizer)
    assert [float(total[0]) for total in sums] == [0.0, 0.0]


def test_averages():
    optimizer, variable = built(use_ema=True, ema_momentum=0.5)
    _keras_internals.update_averages(optimizer)  # The first step copies.
    optimizer.iterations.assign(1)
    variable.assign([3.0, 4.0])
    _keras_internals.update_averages(optimizer)
    ((averaged, average),) = _keras_internals.averages(optimizer)
    assert averaged is variable
    np.testing.assert_array_equal(average, [2.0, 3.0])


@pytest.mark.skipif(
    _keras_internals.overwriting(keras.optimizers.SGD()) is None,
    reason="Keras before 3.16 has none.",
)
def test_overwriting():
    optimizer, variable = built(use_ema=True, ema_overwrite_frequency=2)
    ((_, average),) = _keras_internals.averages(optimizer)
    average.assign([7.0, 8.0])
    for done, expected in ((0, [1.0, 2.0]), (1, [7.0, 8.0])):
        optimizer.iterations.assign(done)
        _keras_internals.overwriting(optimizer)()
        np.testing.assert_array_equal(variable, expected)


@pytest.mark.skipif(engine.JAX, reason="They are methods of TFOptimizer.")
def test_optimizer_hooks():
    calls = []

    def reduce(grads_and_variables):
        calls.append("reduce")
        return grads_and_variables

    def apply(optimizer, grads, variables):
        calls.append("apply")
        _keras_internals.update(optimizer, grads, variables)

    hooks = _keras_internals.optimizer_hooks(reduce, apply)

    class Hooked(hooks, keras.optimizers.SGD):
        pass

    variable = keras.Variable([1.0])
    optimizer = Hooked(0.5)
    optimizer.apply_gradients([(ops.ones(1), variable)])
    assert calls == ["apply", "reduce"]
    assert float(variable[0]) == 0.5
    assert optimizer.iterations == 1


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
