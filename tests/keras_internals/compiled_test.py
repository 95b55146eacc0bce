"""What `compile` gives a model."""

import sys

import keras
import pytest
from keras import ops

from keras_sam import _keras_internals
from tests.keras_internals import compiling
from tests.support import testing


def test_share_compiled():
    model, other = (compiling.compiled(metrics=["accuracy"]) for _ in range(2))
    held = len(model.metrics)
    _keras_internals.share_compiled(model, other)
    assert len(model.metrics) == held
    assert all(a is b for a, b in zip(model.metrics, other.metrics))
    x, y = testing.data()
    model.test_on_batch(x, y)
    assert float(other.metrics[0].result()) > 0


def test_compile_arguments():
    assert _keras_internals.compile_arguments(testing.dense_net()) is None
    loss = testing.cross_entropy()
    model = testing.dense_net()
    model.compile("sgd", loss, metrics=["accuracy"], run_eagerly=True)
    given = _keras_internals.compile_arguments(model)
    assert given["loss"] is loss and given["metrics"] == ["accuracy"]
    assert given["run_eagerly"] is True
    model.compile(**given)  # They are the names of arguments.


def test_has_loss_built():
    model = compiling.compiled()
    assert not _keras_internals.has_loss_built(model)
    x, y = testing.data()
    _keras_internals.compute_loss(model, y=y, y_pred=model(x))
    assert _keras_internals.has_loss_built(model)
    model.compile("sgd")
    assert _keras_internals.has_loss_built(model)  # There is none.


@pytest.mark.parametrize("takes", [True, False])
def test_compute_loss(takes):
    class Own(keras.Sequential):
        if takes:

            def compute_loss(
                self,
                x=None,
                y=None,
                y_pred=None,
                sample_weight=None,
                training=True,
            ):
                return y_pred + training

        else:

            def compute_loss(
                self, x=None, y=None, y_pred=None, sample_weight=None
            ):
                return y_pred + 4

    loss = _keras_internals.compute_loss(
        Own(), x=0, y=0, y_pred=ops.ones(()), sample_weight=None, training=True
    )
    assert loss == (2 if takes else 5)


def test_compiled_losses():
    model = compiling.compiled()
    assert _keras_internals.compiled_losses(model) is None
    x, y = testing.data()
    loss = model.compute_loss(x, y, model(x))
    (of_output,) = _keras_internals.compiled_losses(model)
    assert of_output(y, model(x)) == loss
    without = testing.dense_net()
    without.compile("sgd")
    assert _keras_internals.compiled_losses(without) == []


def test_replaced_losses():
    class Twice(keras.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            return 2 * first(y_true, y_pred, sample_weight)

    model, (x, y) = compiling.compiled(), testing.data()
    y_pred = model(x)
    loss = model.compute_loss(x, y, y_pred)
    (first,) = _keras_internals.compiled_losses(model)
    with _keras_internals.replaced_losses(model, [Twice()]):
        assert model.compute_loss(x, y, y_pred) == 2 * loss
    assert model.compute_loss(x, y, y_pred) == loss
    with (
        pytest.raises(KeyError),
        _keras_internals.replaced_losses(model, [Twice()]),
    ):
        raise KeyError
    assert model.compute_loss(x, y, y_pred) == loss


@pytest.mark.parametrize("examples", [0, 8])
def test_the_loss_of_no_examples_is_a_number(examples):
    model = compiling.compiled()
    x, y = testing.data(8)
    x, y = (ops.array(each[:examples]) for each in (x, y))
    arguments = {"x": x, "y": y, "y_pred": model(x), "sample_weight": None}
    loss = _keras_internals.compute_loss(model, **arguments, training=True)
    assert loss.shape == ()
    if not examples:
        # What is here replaced.
        assert model.compute_loss(**arguments).shape == (0,)
        assert loss == 0.0


def test_loss_tracker():
    model = compiling.compiled()
    tracker = _keras_internals.loss_tracker(model)
    assert tracker is model.metrics[0] and tracker.name == "loss"
    tracker.update_state(3.0)
    assert model.get_metrics_result()["loss"] == 3.0


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
