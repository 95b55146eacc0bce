"""Keras's loops on JAX: what they lose, and what a wrapper keeps."""

import functools
import signal
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

from keras_sam._training.jax import interrupts  # isort: skip


class Failing(keras.losses.Loss):
    """Cannot be computed."""

    def call(self, y_true, y_pred):
        raise ValueError("This loss fails")


def compiled(model, loss=None, **arguments):
    sam = keras_sam.SAM(model)
    sam.compile("sgd", loss or testing.cross_entropy(), **arguments)
    return sam


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("loop", ["fit", "evaluate", "train_on_batch"])
def test_an_error_in_a_step_loses_no_weights(loop, eager):
    sam = compiled(testing.full_net(), Failing(), run_eagerly=eager)
    before = sam.model.get_weights()
    with pytest.raises(ValueError, match="This loss fails"):
        getattr(sam, loop)(*testing.data())
    for old, new in zip(before, sam.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class Recomputed(layers.Layer):
    """Updates its batch statistics where gradients are computed again."""

    def build(self, shape):
        self.norm = layers.BatchNormalization()
        self.norm.build(shape)

    def call(self, inputs, training=None):
        normalize = functools.partial(self.norm, training=training)
        return keras.remat(normalize)(inputs) if training else inputs


@pytest.mark.parametrize("ascent_steps", [0, 1])
@pytest.mark.parametrize("loop", ["fit", "train_on_batch"])
def test_a_step_whose_state_is_no_values_loses_no_weights(loop, ascent_steps):
    net = keras.Sequential([testing.dense_net(), Recomputed()])
    sam = keras_sam.SAM(net, ascent_steps=ascent_steps)
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    before = sam.model.get_weights()
    with pytest.raises(ValueError, match="under `keras.remat`"):
        getattr(sam, loop)(*testing.data())
    for old, new in zip(before, sam.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_error_in_a_later_step_keeps_the_steps_before_it():
    x, y = testing.data()

    def batches():
        yield x[:8], y[:8]
        yield x[:8], y[:8, None] + np.zeros((8, 5))  # Fits no logits.

    sam = compiled(testing.dense_net())
    before = sam.model.get_weights()
    with pytest.raises(ValueError):
        sam.fit(batches(), verbose=0)
    once = compiled(testing.dense_net())
    once.model.set_weights(before)
    once.fit(x[:8], y[:8], verbose=0, shuffle=False)
    for one, two in zip(
        sam.model.get_weights(), once.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_an_error_within_an_execution_keeps_its_first_step():
    x, y = testing.data()

    def batches():
        for _ in range(3):
            yield x[:8], y[:8]
        raise RuntimeError("No more data")

    sam = compiled(testing.dense_net(), steps_per_execution=2)
    with pytest.raises(RuntimeError, match="No more data"):
        sam.fit(batches(), verbose=0)
    assert sam.optimizer.iterations == 3
    assert all(np.isfinite(w).all() for w in sam.get_weights())


@pytest.fixture
def ctrl_c():
    """Ctrl-C raises KeyboardInterrupt, also in a job of the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(function):
    """Returns a function that presses Ctrl-C in its first call."""
    calls = []

    def called(*args, **kwargs):
        if not calls:
            signal.raise_signal(signal.SIGINT)
        calls.append(1)
        return function(*args, **kwargs)

    return called


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("loop", ["fit", "evaluate", "train_on_batch"])
def test_an_interrupt_waits_for_the_end_of_a_step(loop):
    """Plain Keras loses the weights in most interrupts."""
    x, y = testing.data(8)
    runs = []
    for interrupted in (False, True):
        keras.utils.set_random_seed(0)
        sam = compiled(testing.full_net(), run_eagerly=True)
        sam.train_on_batch(x, y)
        run = functools.partial(getattr(sam, loop), x, y)
        if loop == "fit":
            run = functools.partial(run, shuffle=False, verbose=0)
        if interrupted:
            sam.compute_loss = interrupting(sam.compute_loss)
            with pytest.raises(KeyboardInterrupt):
                run()
        else:
            run()
        runs.append(sam)
    one, two = runs
    assert one.optimizer.iterations == two.optimizer.iterations
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("ctrl_c")
def test_a_second_interrupt_does_not_wait():
    with pytest.raises(KeyboardInterrupt):
        with interrupts.Later():
            signal.raise_signal(signal.SIGINT)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def calling(function):
    """Returns a callback that calls a function after the second batch."""

    def end(batch, logs):
        if batch == 1:
            function()

    return keras.callbacks.LambdaCallback(on_train_batch_end=end)


@pytest.mark.parametrize(
    "loop", ["evaluate", "predict", "train_on_batch", "predict_on_batch"]
)
def test_a_callback_may_call_another_loop(loop):
    """Plain Keras has no weights there, if a callback has no `self.model`."""
    x, y = testing.data()
    arguments = (x, y)[: 1 if loop.startswith("predict") else 2]
    runs = []
    for sync in (lambda sam: None, lambda sam: sam.jax_state_sync()):
        keras.utils.set_random_seed(0)
        sam = compiled(testing.full_net())

        def called(sam=sam, sync=sync):
            sync(sam)
            getattr(sam, loop)(*arguments)

        sam.fit(
            x,
            y,
            batch_size=8,
            shuffle=False,
            verbose=0,
            callbacks=[calling(called)],
        )
        runs.append(sam.get_weights())
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


class Measured(keras.Model):
    """Updates a metric of its own when it is called."""

    def __init__(self):
        super().__init__()
        self.logits = layers.Dense(3)
        self.size = keras.metrics.Mean(name="size")

    def call(self, inputs):
        self.size.update_state(ops.mean(ops.abs(inputs)))
        return self.logits(inputs)


@pytest.mark.parametrize("splits", [None, 2])
def test_a_call_may_update_a_metric(splits):
    """Plain Keras fails here on JAX."""
    x, y = testing.data()
    sam = keras_sam.SAM(Measured(), num_batch_splits=splits)
    sam.compile("sgd", testing.cross_entropy())
    history = sam.fit(x, y, batch_size=8, verbose=0, shuffle=False).history
    expected = np.mean([np.abs(x[i : i + 4]).mean() for i in range(0, 24, 4)])
    np.testing.assert_allclose(history["size"], [expected], rtol=1e-5)


class Late(layers.Layer):
    """Updates a metric in training, which makes its variables only then."""

    def __init__(self, metric):
        super().__init__()
        self.metric = metric

    def call(self, inputs, training=False):
        if training:
            self.metric.update_state(ops.cast(inputs > 0, "int32"), inputs)
        return inputs


def late(metric):
    return keras.Sequential([keras.Input((6,)), Late(metric), layers.Dense(3)])


@pytest.mark.parametrize("eager", [False, True])
def test_a_metric_may_make_its_variables_late(eager):
    """Plain Keras fails here on JAX."""
    x, y = testing.data()
    metric = keras.metrics.AUC(multi_label=True, from_logits=True, name="late")
    sam = compiled(late(metric), run_eagerly=eager)
    for _ in range(2):
        history = sam.fit(x, y, batch_size=8, verbose=0).history
        assert history["late"] == [pytest.approx(1.0)]


class Latest(keras.metrics.Mean):
    """Makes a variable when it is updated for the second time."""

    def update_state(self, y_true, y_pred):
        super().update_state(ops.mean(y_pred))
        if len(self.variables) == 2 and ops.shape(y_pred)[0] == 4:
            self.more = self.add_variable((), "zeros", name="more")


def test_variables_that_a_step_makes_are_an_error():
    x, y = testing.data()
    sam = compiled(late(Latest(name="latest")))
    before = sam.model.get_weights()
    sam.fit(x[:8], y[:8], verbose=0)
    with pytest.raises(ValueError, match="must not make variables.*more"):
        sam.fit(x[:4], y[:4], verbose=0)
    assert len(sam.model.get_weights()) == len(before)


@pytest.mark.parametrize("steps", [0, 1])
def test_metrics_of_fit_respect_masks(steps):
    """As those of `evaluate` do. Plain Keras forgets the mask in `fit`."""
    model = keras.Sequential(
        [layers.Embedding(6, 4, mask_zero=True), layers.Dense(3)]
    )
    ids = np.random.RandomState(0).randint(0, 3, (8, 5))
    sam = keras_sam.SAM(model, ascent_steps=steps)
    sam.compile(
        keras.optimizers.SGD(0.0),
        testing.cross_entropy(),
        weighted_metrics=["accuracy"],
    )
    history = sam.fit(ids, ids % 3, verbose=0).history
    expected = sam.evaluate(ids, ids % 3, verbose=0, return_dict=True)
    masked = (np.argmax(model(ids), -1) == ids % 3)[ids != 0].mean()
    assert history["accuracy"] == pytest.approx([expected["accuracy"]])
    assert expected["accuracy"] == pytest.approx(masked)


class Odd(keras.Sequential):
    """Has a `test_step` and a `predict_step` of its own, as JAX wants them."""

    def test_step(self, state, data):
        logs, state = super().test_step(state, data)
        return {**logs, "twice": 2 * logs["loss"]}, state

    def predict_step(self, state, data):
        outputs, state = super().predict_step(state, data)
        return -outputs, state


def test_steps_of_the_inner_model_are_called():
    x, y = testing.data()
    model = Odd(
        [
            keras.Input((6,)),
            layers.Dense(8),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
    sam = keras_sam.SAM(
        model, direction=keras_sam.directions.Friendly(), track=True
    )
    sam.compile("adam", testing.cross_entropy(), metrics=["accuracy"])
    sam.fit(x, y, verbose=0, validation_data=(x, y))
    logs = sam.evaluate(x, y, verbose=0, return_dict=True)
    assert logs["twice"] == pytest.approx(2 * logs["loss"])
    np.testing.assert_allclose(
        sam.predict(x, verbose=0), -np.array(model(x)), rtol=1e-5, atol=1e-6
    )
    before = sam.get_weights()
    sam.evaluate(x, y, verbose=0)
    for old, new in zip(before, sam.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("size", [24, 20])
def test_steps_per_execution_is_the_same_training(size):
    x, y = testing.data(size)
    runs = [
        testing.train(
            testing.full_net,
            keras_sam.SAM,
            fit={"x": x, "y": y},
            steps_per_execution=number,
        )
        for number in (1, 2)
    ]
    testing.assert_same(*runs)


class Freeze(keras.callbacks.Callback):
    """Freezes a layer after the first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.get_layer("hidden").trainable = False


def test_freezing_needs_another_compilation():
    x, y = testing.data()
    sam = compiled(testing.dense_net())
    with pytest.raises(ValueError, match="Call `compile` again"):
        sam.fit(x, y, epochs=2, verbose=0, callbacks=[Freeze()])
    once = sam.get_weights()
    assert all(np.isfinite(w).all() for w in once)
    sam.compile("sgd", testing.cross_entropy())
    sam.fit(x, y, verbose=0)
    kernel, _ = sam.get_layer("hidden").get_weights()
    np.testing.assert_array_equal(kernel, once[0])


def test_freezing_within_an_epoch_mixes_up_no_weights():
    x, y = testing.data()

    def trained(callbacks):
        # Layers of one shape: their weights could take each other's values.
        keras.utils.set_random_seed(1)
        net = keras.Sequential(
            [keras.Input((6,)), *(layers.Dense(6) for _ in range(3))]
        )
        sam = compiled(net)
        freeze = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: callbacks(net)
        )
        sam.fit(x, y, batch_size=8, verbose=0, callbacks=[freeze])
        net.trainable = True
        return sam.get_weights()

    def freeze(net):
        net.layers[0].trainable = False

    # The step is compiled, so a layer is frozen from the next epoch on.
    for old, new in zip(trained(lambda net: None), trained(freeze)):
        np.testing.assert_array_equal(new, old)


def test_xla_needs_a_compiled_step():
    x, y = testing.data()
    sam = keras_sam.SAM(testing.dense_net(), xla=False)
    sam.compile("sgd", testing.cross_entropy())
    assert "no train step" in sam.describe()
    with pytest.raises(ValueError, match=r"`xla=False` needs `compile"):
        sam.fit(x, y, verbose=0)
    sam.compile("sgd", testing.cross_entropy(), jit_compile=False)
    sam.fit(x, y, verbose=0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
