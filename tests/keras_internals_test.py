"""What the private names of Keras mean, each as the library takes it."""

import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_sam import _keras_internals
from keras_sam import _private_names
from tests.support import testing


def compiled(optimizer="sgd", net=None, **compiling):
    model = net or testing.dense_net()
    model.compile(optimizer, testing.cross_entropy(), **compiling)
    return model


def built(**arguments):
    """Returns an optimizer of one variable, [1, 2], and the variable."""
    variable = keras.Variable([1.0, 2.0])
    optimizer = keras.optimizers.SGD(0.5, **arguments)
    optimizer.build([variable])
    return optimizer, variable


# A version without a name.


@pytest.fixture
def package():
    return _private_names.Package("Keras", "3.14", "9.9")


def test_a_missing_attribute_is_a_sentence(package):
    for owner, name in (
        (keras.Model, "Model._gone"),
        (keras.optimizers.SGD(), "SGD._gone"),
        (types.ModuleType("there"), "there._gone"),
    ):
        with pytest.raises(RuntimeError) as caught:
            package.private(owner, "_gone")
        assert str(caught.value) == (
            f"keras_sam uses `{name}`, which is private to Keras and was read "
            "in Keras 3.14. Keras 9.9, which is installed, has none. Install "
            "a version that was read, or report the installed one to keras_sam"
        )


def test_a_missing_module_is_a_sentence(package):
    with pytest.raises(RuntimeError, match="uses `keras.src.gone`, .* none"):
        package.module("keras.src.gone")


class Theirs:
    def _method(self, iterator):
        pass


def test_an_override_of_nothing_is_a_sentence(package):
    class Ours:
        def _gone(self):
            pass

    with pytest.raises(RuntimeError, match="uses `Theirs._gone`"):
        package.overriding(Theirs)(Ours)


def test_an_override_with_other_parameters_is_a_sentence(package):
    class Ours:
        def _method(self):
            pass

    with pytest.raises(RuntimeError, match=r"has `_method\(self, iterator\)`"):
        package.overriding(Theirs)(Ours)


def test_an_override_with_the_same_parameters(package):
    class Ours:
        def _method(self, iterator):
            pass

        def other(self):
            pass

    assert package.overriding(Theirs)(Ours) is Ours


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("layers", ()),
        ("own_metrics", ()),
        ("takes_training", ()),
        ("has_loss_built", ()),
        ("compute_loss", ()),
        ("compiled_losses", ()),
        ("loss_tracker", ()),
        ("set_first_epoch", (1,)),
        ("data_of_epoch", ()),
        ("place_by", (None,)),
        ("expect_end", ()),
        ("clip", ([],)),
        ("decay_weights", ([],)),
        ("update", ([], [])),
        ("accumulators", ([],)),
        ("reset_accumulators", ()),
        ("steps_done", ()),
        ("update_averages", ()),
        ("averages", ()),
    ],
)
def test_each_function_says_what_is_missing(function, arguments):
    with pytest.raises(RuntimeError, match=r"uses `SimpleNamespace\._"):
        getattr(_keras_internals, function)(
            types.SimpleNamespace(learning_rate=1.0), *arguments
        )


# Tensors, layers and models.


def test_mask():
    tokens = tf.constant([[1, 2, 0]])
    embedded = keras.layers.Embedding(3, 2, mask_zero=True)(tokens)
    mask = _keras_internals.mask(embedded)
    np.testing.assert_array_equal(mask, [[True, True, False]])
    assert _keras_internals.mask(tokens) is None


def test_logits():
    x = tf.constant([[1.0, 2.0]])
    found = _keras_internals.logits(keras.activations.softmax(x))
    np.testing.assert_array_equal(found, x)
    assert _keras_internals.logits(x) is None


def test_set_mask():
    sequence, last = tf.constant([[[1.0], [5.0]]]), keras.layers.LSTM(1)
    whole = last(sequence)
    _keras_internals.set_mask(sequence, None)
    np.testing.assert_array_equal(last(sequence), whole)
    _keras_internals.set_mask(sequence, tf.constant([[True, False]]))
    np.testing.assert_allclose(last(sequence), last(sequence[:, :1]))
    assert not np.allclose(last(sequence), whole)


def test_layers():
    inner = keras.Sequential([keras.layers.Dense(2)])
    outer = keras.Sequential([inner, keras.layers.Dense(3)])
    found = _keras_internals.layers(outer)
    assert len(found) == 4
    assert {id(layer) for layer in found} == {
        id(layer) for layer in (outer, inner, *inner.layers, outer.layers[1])
    }


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (keras.layers.Dense(2), "kernel"),
        (keras.layers.Conv1D(2, 2), "kernel"),
        (keras.layers.EinsumDense("abc,cd->abd", (None, 2)), "kernel"),
        (keras.layers.Embedding(3, 2), "embeddings"),
    ],
)
def test_attributes(layer, name):
    layer.build((None, 4, 3))
    assert dict(_keras_internals.attributes(layer))[name] is getattr(
        layer, name
    )


def test_own_metrics():
    model = testing.dense_net()
    metric = model.shown = keras.metrics.Mean()
    assert _keras_internals.own_metrics(model) == [metric]
    model.compile("sgd", "mse", metrics=["mae"])
    assert _keras_internals.own_metrics(model) == [metric]


class Recording(keras.layers.Layer):
    """Records whether its calls are of numbers."""

    def __init__(self):
        super().__init__()
        self.eager = []

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3))

    def call(self, x):
        self.eager.append(tf.executing_eagerly())
        return x @ self.kernel


def test_takes_training():
    assert _keras_internals.takes_training(keras.layers.Dropout(0.5))
    assert not _keras_internals.takes_training(Recording())


def test_share_compiled():
    model, other = (compiled(metrics=["accuracy"]) for _ in range(2))
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


def test_validates():
    seen = []

    class Own(keras.Sequential):
        def evaluate(self, *args, **kwargs):
            seen.append(_keras_internals.validates(kwargs))
            return super().evaluate(*args, **kwargs)

    model = compiled(net=Own([keras.layers.Dense(3)]))
    x, y = testing.data()
    model.fit(x, y, validation_data=(x, y), verbose=0)
    model.evaluate(x, y, verbose=0)
    assert seen == [True, False]


def test_has_loss_built():
    model = compiled()
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
    model = compiled()
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

    model, (x, y) = compiled(), testing.data()
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
    model = compiled()
    x, y = testing.data(8)
    x, y = tf.constant(x[:examples]), tf.constant(y[:examples])
    arguments = {"x": x, "y": y, "y_pred": model(x), "sample_weight": None}
    loss = _keras_internals.compute_loss(model, **arguments, training=True)
    assert loss.shape == ()
    if not examples:
        # What is here replaced.
        assert model.compute_loss(**arguments).shape == (0,)
        assert loss == 0.0


def test_loss_tracker():
    model = compiled()
    tracker = _keras_internals.loss_tracker(model)
    assert tracker is model.metrics[0] and tracker.name == "loss"
    tracker.update_state(3.0)
    assert model.get_metrics_result()["loss"] == 3.0


@pytest.mark.parametrize(("first", "epochs"), [(2, [2]), (None, [0, 1, 2])])
def test_set_first_epoch(first, epochs):
    begun = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: _keras_internals.set_first_epoch(
            model, first
        ),
        on_epoch_begin=lambda epoch, logs: begun.append(epoch),
    )
    model = compiled(run_eagerly=True)
    x, y = testing.data(8)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[callback])
    assert begun == epochs


def test_fit_hooks():
    calls, checked = [], []

    class Hooked(_keras_internals.FitHooks):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            calls.append("call")
            return self.dense(x)

        def check_compiled(self, method_name=None):
            checked.append(method_name)
            super().check_compiled(method_name)

        def build_before_loop(self, iterator=None, data_batch=None):
            assert (iterator is None) != (data_batch is None)
            calls.append("build")
            super().build_before_loop(iterator, data_batch)

        def epoch_logs(self, logs):
            calls.append("logs")
            return {**super().epoch_logs(logs), "own": 1.0}

    model = compiled(net=Hooked(), run_eagerly=True)
    x, y = testing.data(8)
    history = model.fit(x, y, verbose=0).history
    assert [calls[0], calls[-1]] == ["build", "logs"]
    assert calls.count("build") == calls.count("logs") == 1
    assert history["own"] == [1.0] and len(history["loss"]) == 1
    calls.clear()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["own"] == 1.0
    assert calls == ["build", "call", "logs"]
    calls.clear()
    model.train_on_batch(x, y)
    assert calls == ["build", "call"]
    assert checked == ["fit", "evaluate", "train_on_batch"]
    with pytest.raises(ValueError, match="compile"):
        Hooked().fit(x, y)


def test_default_build():
    class Built(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(2)

        @_keras_internals.default_build
        def build(self, input_shape):
            self.was_built = self.dense.built

        def call(self, x):
            return self.dense(x)

    layer = Built()
    layer(np.zeros((2, 3)))
    assert layer.was_built


# What Keras's loops read. The iterator is that which `fit` makes.


class Seen(_keras_internals.FitHooks):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.iterators = []

    def call(self, x):
        return self.dense(x)

    def build_before_loop(self, iterator=None, data_batch=None):
        self.iterators.append(iterator)
        self.seen(iterator)

    def seen(self, iterator):
        pass


def test_data_of_epoch():
    dataset = tf.data.Dataset.from_tensors(testing.data(8))
    model = compiled(net=Seen())
    model.fit(dataset, verbose=0)
    data = _keras_internals.data_of_epoch(model.iterators[0])
    assert data.element_spec == dataset.element_spec


def test_data_adapter():
    x, _ = testing.data(10)
    model = compiled()
    adapter = _keras_internals.data_adapter(x, 4, 2)
    assert adapter.num_batches == 3
    found = model.predict(adapter, steps=2, verbose=0)
    np.testing.assert_array_equal(found, model.predict(x[:8], 4, verbose=0))


@pytest.mark.parametrize("expected", [True, False])
def test_expect_end(expected, recwarn):
    class Expecting(Seen):
        def seen(self, iterator):
            if expected:
                _keras_internals.expect_end(iterator)

    dataset = tf.data.Dataset.from_tensors(testing.data(8))
    compiled(net=Expecting()).fit(dataset, steps_per_epoch=2, verbose=0)
    assert any("ran out" in str(w.message) for w in recwarn) != expected


def test_holds_dataset():
    def adapter(*data):
        model = compiled(net=Seen())
        model.fit(*data, verbose=0)
        return model.iterators[0].data_adapter

    data = testing.data(8)
    dataset = tf.data.Dataset.from_tensors(data)
    assert _keras_internals.holds_dataset(adapter(dataset))
    assert not _keras_internals.holds_dataset(adapter(*data))
    generator = (batch for batch in [data])
    assert not _keras_internals.holds_dataset(adapter(generator))


# Several devices.


def test_holding():
    variable = keras.Variable([1.0, 2.0])
    before = variable.value
    with pytest.raises(ValueError, match="within"):
        with _keras_internals.holding([(variable, np.array([3.0, 4.0]))]):
            np.testing.assert_array_equal(variable.value, [3, 4])
            raise ValueError("within")
    assert variable.value is before
    with pytest.raises(RuntimeError, match="uses `SimpleNamespace._value`"):
        with _keras_internals.holding([(types.SimpleNamespace(), 0)]):
            pass


# Steps of an optimizer.


def test_clip():
    optimizer, _ = built(clipnorm=1.0)
    (grad,) = _keras_internals.clip(optimizer, [tf.constant([3.0, 4.0])])
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-6)


def test_decay_weights():
    optimizer, variable = built(weight_decay=0.5)
    _keras_internals.decay_weights(optimizer, [variable])
    np.testing.assert_array_equal(variable, [0.75, 1.5])


def test_update():
    optimizer, variable = built(clipnorm=1.0, weight_decay=0.5)
    _keras_internals.update(optimizer, [tf.constant([3.0, 4.0])], [variable])
    np.testing.assert_array_equal(variable, [-0.5, 0.0])
    assert optimizer.iterations == 0


def test_accumulators():
    first, second = keras.Variable([1.0]), keras.Variable([2.0])
    optimizer = keras.optimizers.SGD(gradient_accumulation_steps=2)
    optimizer.build([first, second])
    optimizer.apply([tf.constant([3.0]), tf.constant([4.0])], [first, second])
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
