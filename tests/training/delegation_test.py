"""Methods that a model overrides: called, to the bit, or refused by name."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam._training import inner_model
from tests.support import engine
from tests.support import testing


class Net(keras.Model):
    """Has a regularizer, which only `compute_loss` of Keras adds."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.logits = keras.layers.Dense(3, kernel_regularizer="l2")

    def call(self, inputs):
        return self.logits(inputs)


class OwnLoss(Net):
    """Adds to the compiled loss."""

    def compute_loss(self, x, y, y_pred, sample_weight=None, **kwargs):
        loss = super().compute_loss(x, y, y_pred, sample_weight, **kwargs)
        return loss + 0.1 * ops.mean(y_pred**2)


class NoCompiledLoss(Net):
    """Computes its loss alone, and calls itself once more."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        losses = keras.losses.sparse_categorical_crossentropy(
            y, self(x + 1.0), from_logits=True
        )
        return ops.mean(losses) + sum(self.losses)


class OwnMetrics(Net):
    """Updates a metric of its own, and renames another."""

    def __init__(self):
        super().__init__()
        self.largest = keras.metrics.Mean("largest")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.largest.update_state(ops.max(y_pred))
        logs = super().compute_metrics(x, y, y_pred, sample_weight)
        return {**logs, "doubled": 2.0 * self.largest.result()}


class OwnTracker(Net):
    """The example in the documentation of `keras.Model.compute_loss`."""

    def __init__(self):
        super().__init__()
        self.tracker = keras.metrics.Mean("loss")

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        loss = ops.mean((y_pred - ops.one_hot(y, 3)) ** 2)
        loss += sum(self.losses)
        self.tracker.update_state(loss)
        return loss

    def reset_metrics(self):
        self.tracker.reset_state()

    @property
    def metrics(self):
        return [self.tracker]


class OwnResult(Net):
    def get_metrics_result(self):
        logs = super().get_metrics_result()
        return {**logs, "doubled": 2.0 * logs["loss"]}


class OwnSteps(Net):
    """Evaluates at other inputs, and predicts classes."""

    def test_step(self, data):
        x, y = data
        return super().test_step((2.0 * x, y))

    def predict_step(self, data):
        return ops.argmax(super().predict_step(data), -1)


class Head(OwnLoss):
    """Also has a `compile` of its own, with defaults."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.compile()

    def compile(self, optimizer="auto", loss="auto", factor=0.5, **kwargs):
        self.factor = factor
        if optimizer == "auto":
            optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
        if loss == "auto":
            loss = testing.cross_entropy()
        super().compile(optimizer, loss, **{"metrics": ["accuracy"], **kwargs})

    def compute_loss(self, *args, **kwargs):
        return self.factor * super().compute_loss(*args, **kwargs)


class Mixin:
    def compute_loss(self, *args, **kwargs):
        return 3.0 * super().compute_loss(*args, **kwargs)


class Mixed(Mixin, keras.Sequential):
    pass


def mixed():
    return Mixed([keras.layers.Dense(3)])


def plainly():
    return keras.Sequential([keras.layers.Dense(3)])


def functional():
    class Both(Mixin, keras.Model):
        pass

    inputs = keras.Input((6,))
    return Both(inputs, keras.layers.Dense(3)(inputs))


def on_the_instance():
    net = testing.dense_net()

    def compute_loss(x, y, y_pred, sample_weight, training):
        return ops.mean(y_pred**2)

    net.compute_loss = compute_loss
    return net


def distiller():
    return keras.distillation.Distiller(
        testing.dense_net(),
        testing.dense_net(hidden=4),
        keras.distillation.LogitsDistillation(),
    )


MAKERS = {
    "loss": OwnLoss,
    "loss alone": NoCompiledLoss,
    "metrics": OwnMetrics,
    "tracker": OwnTracker,
    "result": OwnResult,
    # `tests/jax/loops_test.py` has steps as JAX wants them.
    "steps": pytest.param(OwnSteps, marks=testing.TENSORFLOW),
    "compile": Head,
    "mixin": mixed,
    "functional": functional,
    "instance": on_the_instance,
    "distiller": distiller,
}


def unwrapped(model):
    return model


def as_plain(model):
    return keras_sam.SAM(model, ascent_steps=0)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_own_methods_are_called(make):
    x, y = testing.data()
    fit = {"validation_data": (x[:8], y[:8]), "epochs": 1}
    plain = testing.train(make, unwrapped, fit=fit)
    same = testing.train(make, as_plain, fit=fit)
    assert list(plain[1]) == list(same[1])
    testing.assert_same(plain, same)
    np.testing.assert_array_equal(
        plain[0].predict(x, verbose=0), same[0].predict(x, verbose=0)
    )


class Wrapper(Mixin, keras_sam.SAM):
    pass


def test_the_climb_follows_the_own_loss():
    """The same loss, in a subclass of the wrapper."""
    testing.assert_same(
        testing.train(mixed, lambda model: keras_sam.SAM(model, rho=0.5)),
        testing.train(plainly, lambda model: Wrapper(model, rho=0.5)),
    )


def test_several_replicas():
    found = []
    for wrap in (unwrapped, as_plain):
        with engine.two_devices():
            found.append(testing.train(Head, wrap, fit={"epochs": 1}))
    testing.assert_same(*found)


def test_defaults_of_the_own_compile():
    found = []
    for wrap in (unwrapped, as_plain):
        keras.utils.set_random_seed(1)
        model = wrap(Head())
        model.compile(factor=0.25)
        history = model.fit(*testing.data(), shuffle=False, verbose=0).history
        assert set(history) == {"loss", "accuracy"}
        found.append((model, history))
    testing.assert_same(*found)


def test_a_scaled_loss():
    model = Head(dtype="mixed_float16")
    sam = keras_sam.SAM(model)
    sam.compile()
    assert isinstance(sam.optimizer, keras.optimizers.LossScaleOptimizer)
    assert sam.optimizer is model.optimizer
    assert isinstance(sam.optimizer.inner_optimizer, keras.optimizers.SGD)


@pytest.mark.parametrize("compiling", [{}, {"factor": 0.25}])
def test_a_saved_model_is_compiled_alike(compiling, tmp_path):
    x, y = testing.data()
    sam = keras_sam.SAM(Head(), rho=0.1)
    sam.compile(**compiling)
    sam.fit(x, y, verbose=0)
    sam.save(tmp_path / "sam.keras")
    again = keras.saving.load_model(
        tmp_path / "sam.keras", custom_objects={"Head": Head}
    )
    assert again.model.factor == compiling.get("factor", 0.5)
    for model in (sam, again):
        model.fit(x, y, shuffle=False, verbose=0)
    for a, b in zip(sam.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Silent(Net):
    def compile(self, *args, **kwargs):
        pass


@pytest.mark.parametrize("splits", [None, 2])
def test_an_output_may_be_none(splits):
    x, y = testing.data()
    losses = []
    for wrap in (
        lambda model: model,
        lambda model: keras_sam.SAM(
            model, ascent_steps=0, num_batch_splits=splits
        ),
    ):
        keras.utils.set_random_seed(0)
        model = wrap(testing.OptionalOutput())
        model.compile("sgd")
        history = model.fit(x, y, batch_size=8, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_a_compile_that_does_not_compile():
    sam = keras_sam.SAM(Silent())
    with pytest.raises(ValueError, match="must call `keras.Model.compile`"):
        sam.compile("sgd", "mse")


# What is refused.

REFUSED = (
    "fit",
    "evaluate",
    "predict",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
    "train_step",
    "make_train_function",
    "make_test_function",
    "make_predict_function",
    "losses",
    "non_trainable_variables",
    "trainable_variables",
    "trainable_weights",
)
STATELESS = (
    "compute_loss_and_updates",
    "stateless_call",
    "stateless_compute_loss",
)


def nothing(self, *args, **kwargs):
    pass


def overriding(names, base=keras.Sequential):
    return type("Custom", (base,), dict.fromkeys(names, nothing))


@pytest.mark.parametrize("name", REFUSED)
def test_a_method_that_would_not_be_called(name):
    for model in (
        overriding([name])([keras.layers.Dense(3)]),
        overriding([name], keras.Model)(),
        type("Mixed", (overriding([name], object), keras.Model), {})(),
    ):
        with pytest.raises(ValueError, match=f"must leave `{name}` to Keras"):
            keras_sam.SAM(model)


@pytest.mark.skipif(not engine.JAX, reason="Only JAX trains by these")
@pytest.mark.parametrize("name", STATELESS)
def test_a_stateless_method_that_would_not_be_called(name):
    own = overriding([name], keras.Model)()
    wrapper = overriding([name], keras_sam.SAM)
    for wrap, model in (
        (keras_sam.SAM, own),
        (wrapper, testing.dense_net()),
        (wrapper, own),
    ):
        with pytest.raises(ValueError, match=f"may override .'{name}'"):
            wrap(model)
    assert overriding(["train_step"], keras_sam.SAM)(own).model is own


def test_all_names_are_in_one_error():
    with pytest.raises(ValueError) as caught:
        keras_sam.SAM(overriding(REFUSED)())
    assert all(f"`{name}`" in str(caught.value) for name in REFUSED)
    assert "prepare them before `fit`" in str(caught.value)


def test_a_method_replaced_on_the_instance():
    net = testing.dense_net()
    net.train_step = lambda data: {}
    with pytest.raises(ValueError, match="`model` must leave `train_step`"):
        keras_sam.SAM(net)


def test_what_the_wrapper_overrides_the_model_may_override():
    wrapper = overriding(REFUSED, keras_sam.SAM)
    assert wrapper(overriding(REFUSED)()).model is not None
    wrapper = overriding(["train_step"], keras_sam.SAM)
    with pytest.raises(ValueError, match="`model` must leave `fit` to Keras"):
        wrapper(overriding(["train_step", "fit"])())


def test_what_would_pass_by_the_wrapper():
    """`evaluate` would have another loss than `fit`."""
    wrapper = overriding(["compute_loss"], keras_sam.SAM)
    with pytest.raises(ValueError, match="must leave `test_step` to Keras"):
        wrapper(OwnSteps())
    both = overriding(["compute_loss", "test_step"], keras_sam.SAM)
    assert both(OwnSteps()).model is not None


def test_a_subclass_calls_the_own_loss():
    class Calling(keras_sam.SAM):
        def compute_loss(self, x=None, y=None, y_pred=None, *args, **kwargs):
            return self.model.compute_loss(x, y, y_pred, *args, **kwargs)

    testing.assert_same(
        testing.train(OwnLoss, unwrapped),
        testing.train(OwnLoss, lambda model: Calling(model, ascent_steps=0)),
    )


def test_a_wrapper_cannot_be_wrapped():
    sam = keras_sam.SAM(testing.dense_net())
    with pytest.raises(ValueError, match="Wrap its inner model, `sam.model`"):
        keras_sam.SAM(sam)


@pytest.mark.parametrize(
    "make", [Net, testing.dense_net, keras.Sequential, keras.Model]
)
def test_keras_overrides_nothing(make):
    names = (*inner_model.CALLED, *REFUSED)
    assert not any(inner_model.overrides(make(), name) for name in names)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
