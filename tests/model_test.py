"""The wrapper as a Keras model: cost, counting, and what users call."""

import inspect
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import descents
from tests.support import engine
from tests.support import testing


class Counter(keras.layers.Layer):
    """Counts its calls: when traced, and when executed."""

    def __init__(self):
        super().__init__()
        self.traced = 0
        self._executed = 0

    def call(self, inputs):
        self.traced += 1
        return engine.noticed(self._count, inputs)

    def _count(self):
        self._executed += 1

    def executed(self):
        """Returns the number of executions since the last call."""
        engine.wait()
        executed, self._executed = self._executed, 0
        return executed


def counted(**arguments):
    counter = Counter()
    net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), counter])
    return keras_sam.SAM(net, **{"rho": 0.1, **arguments}), counter


@pytest.mark.parametrize("mode", ["eager", engine.TRACED[0]])
@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("descent", [descents.Last(), descents.Mean()], ids=str)
def test_a_step_evaluates_once_more_than_it_climbs(mode, steps, descent):
    sam, counter = counted(ascent_steps=steps, descent=descent)
    sam.compile("sgd", testing.cross_entropy(), **testing.MODES[mode])
    x, y = testing.data()
    sam.train_on_batch(x, y)
    counter.executed()
    sam.train_on_batch(x, y)
    assert counter.executed() == steps + 1


def test_each_split_evaluates_as_much():
    sam, counter = counted(ascent_steps=2, num_batch_splits=4)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    sam.train_on_batch(x, y)
    counter.executed()
    sam.train_on_batch(x, y)
    assert counter.executed() == 4 * 3


@testing.TENSORFLOW  # On JAX the whole step is compiled.
@pytest.mark.parametrize("xla", [False, True])
def test_xla_compiles_one_evaluation_for_all_steps(xla):
    sam = keras_sam.SAM(testing.dense_net(), ascent_steps=4, xla=xla)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    sam.train_on_batch(x, y)
    tf = engine.tf
    batch = (tf.constant(x), tf.constant(y))
    graph = tf.function(sam.train_step).get_concrete_function(batch).graph
    definition = graph.as_graph_def()
    compiled = {
        function.signature.name
        for function in definition.library.function
        if function.attr["_XlaMustCompile"].b
    }
    calls = [
        node
        for node in definition.node
        if node.op.endswith("PartitionedCall")
        and node.attr["f"].func.name in compiled
    ]
    assert len(compiled) == xla
    assert len(calls) == 5 * xla


@pytest.mark.parametrize("steps", [0, 3])
def test_a_second_batch_retraces_nothing(steps):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    sam, counter = counted(ascent_steps=steps, rho=schedule)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    sam.fit(x, y, batch_size=8, epochs=1, verbose=0)
    traced = counter.traced
    sam.fit(x, y, batch_size=8, epochs=3, verbose=0)
    assert counter.traced == traced


@pytest.mark.parametrize("mode", testing.MODES)
def test_the_climb_changes_nothing_but_the_weights(mode):
    """Learning rate 0: after a step only the clean pass shows.

    Eagerly to the bit; among more passes, a graph fuses operations otherwise.
    """

    def after_one_step(wrap):
        model, history = testing.train(
            testing.full_net,
            wrap,
            lambda: keras.optimizers.SGD(0.0),
            fit={"epochs": 1, "batch_size": 24},
            **testing.MODES[mode],
        )
        return model, history

    plain = after_one_step(lambda model: model)
    climbing = after_one_step(
        lambda model: keras_sam.SAM(model, rho=10.0, ascent_steps=3)
    )
    testing.assert_same(plain, climbing, 0.0 if mode == "eager" else 1e-6)


def test_rho_matters():
    def weights(rho):
        model, _ = testing.train(
            testing.full_net, lambda model: keras_sam.SAM(model, rho=rho)
        )
        return model.get_weights()

    pairs = zip(weights(0.0), weights(0.5), strict=True)
    assert all((a != b).any() for a, b in pairs if a.dtype == np.float32)


class Spread(keras_sam.Part):
    """Descends with the largest difference between gradients of the path."""

    def __call__(self, clean, path):
        differences = [
            ops.max(ops.abs(a - b))
            for point in path
            for a, b in zip(clean.grads, point.grads, strict=True)
        ]
        largest = ops.max(ops.stack(differences))
        return [ops.broadcast_to(largest, g.shape) for g in clean.grads]


@pytest.mark.parametrize("mode", testing.MODES)
def test_every_pass_sees_the_same_dropout_mask(mode):
    """With rho = 0, gradients could differ by nothing but the mask.

    And by roundings: each pass is fused for itself. Another mask changes some
    gradients by more than a tenth.
    """
    inputs = keras.Input((6,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(16)(inputs))
    net = keras.Model(inputs, keras.layers.Dense(3)(x))
    sam = keras_sam.SAM(net, rho=0.0, ascent_steps=2, descent=Spread())
    sam.compile(
        keras.optimizers.SGD(1.0),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    before = net.get_weights()
    sam.train_on_batch(*testing.data())
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def generated(batch):
    """Yields a batch: Keras takes this on both backends."""
    yield batch


class Doubling(keras_sam.SAM):
    """Doubles the features that it is given."""

    def train_step(self, *state_and_data):
        *state, (x, y) = state_and_data  # Only JAX has a state.
        return super().train_step(*state, (2 * x, y))


class OfItsOwn(keras_sam.SAM):
    """Makes a batch of what it is given."""

    def train_step(self, data):
        (data,) = data
        return super().train_step((data["features"], data["labels"]))


X, Y = testing.data()


@pytest.mark.parametrize(
    ("kind", "given", "plain"),
    [
        (Doubling, (X, Y), (2 * X, Y)),
        # On JAX Keras first calls the model on what it is given.
        pytest.param(
            OfItsOwn,
            ({"features": X, "labels": Y},),
            (X, Y),
            marks=testing.TENSORFLOW,
        ),
    ],
)
def test_a_train_step_may_make_the_batch(kind, given, plain):
    found = []
    for wrapper, data in ((kind, given), (keras_sam.SAM, plain)):
        keras.utils.set_random_seed(0)
        net = keras.Sequential([keras.layers.Dense(3)])
        sam = wrapper(net, rho=0.1)
        sam.compile("sgd", testing.cross_entropy())
        sam.fit(generated(data), verbose=0)
        found.append(net.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_weights_of_samples_in_the_data():
    x, y = testing.data()
    given = [generated((x, y)), generated((x, y, None))]
    if not engine.JAX:
        data = engine.tf.data.Dataset.from_tensors((x, y))
        given += [data, data.map(lambda x, y: (x, y, None))]
    found = []
    for data in given:
        keras.utils.set_random_seed(0)
        sam = keras_sam.SAM(testing.dense_net(), rho=0.1)
        sam.compile("sgd", testing.cross_entropy())
        sam.fit(data, verbose=0)
        found.append(sam.get_weights())
    for weights in found[1:]:
        for a, b in zip(found[0], weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_train_step_is_traced_once(monkeypatch):
    traces = []
    method = keras_sam.SAM.train_step

    def train_step(self, *state_and_data):
        traces.append(state_and_data)
        return method(self, *state_and_data)

    train_step.__module__ = method.__module__
    monkeypatch.setattr(keras_sam.SAM, "train_step", train_step)
    net = keras.Sequential([keras.layers.Dense(3)])  # Not built.
    sam = keras_sam.SAM(net, rho=0.1)
    sam.compile("adam", testing.cross_entropy(), metrics=["accuracy"])
    sam.fit(*testing.data(), batch_size=8, epochs=2, verbose=0)
    assert len(traces) == 1


def test_directions_of_users_are_called_in_every_step():
    calls = []

    def direction(grads, params):
        calls.append(len(calls))
        return [(-1) ** len(calls) * g for g in grads]

    sam = keras_sam.SAM(
        testing.dense_net(), rho=0.1, ascent_steps=3, direction=direction
    )
    sam.compile("sgd", testing.cross_entropy())
    sam.fit(*testing.data(), verbose=0)
    assert calls == [0, 1, 2]


def test_a_callback_may_freeze_and_compile_again():
    sam = keras_sam.SAM(testing.dense_net(), rho=0.1)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    sam.fit(x, y, verbose=0)
    sam.model.get_layer("hidden").trainable = False
    sam.compile("sgd", testing.cross_entropy())
    kept = sam.model.get_layer("hidden").get_weights()
    sam.fit(x, y, verbose=0)
    for a, b in zip(
        kept, sam.model.get_layer("hidden").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_recipes_of_perturb():
    """Those of the README: norm only, no biases, last block."""

    def moving(perturb):
        sam = keras_sam.SAM(testing.full_net(), perturb=perturb)
        return [v.path for v in sam.perturbed_variables]

    assert moving("norm") == ["norm/gamma", "norm/beta"]
    assert moving(r"kernel|gamma") == [
        "hidden/kernel",
        "norm/gamma",
        "logits/kernel",
    ]
    assert moving("^logits/") == ["logits/kernel", "logits/bias"]


def test_the_inner_model_is_the_trained_one():
    net = testing.dense_net()
    sam = keras_sam.SAM(net)
    assert sam.model is net
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    before = net.get_weights()
    sam.fit(x, y, verbose=0)
    assert all(
        (a != b).any() for a, b in zip(before, net.get_weights(), strict=True)
    )
    np.testing.assert_array_equal(
        sam.predict(x, verbose=0), net.predict(x, verbose=0)
    )


def test_summary_counts_the_inner_model(capsys):
    net = testing.full_net()
    lines = []
    keras_sam.SAM(net).summary(print_fn=lines.append)
    printed = "\n".join(map(str, lines))
    assert f"Total params: {net.count_params()}" in printed
    assert all(layer.name in printed for layer in net.layers)


# What tf_keras tests of its class of the same name, in our words.


def make_wrapper(**arguments):
    model = keras.Sequential(
        [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    )
    return keras_sam.SharpnessAwareMinimization(model, **arguments)


def test_call():
    sam = make_wrapper()
    assert sam(np.ones((4, 6), "float32")).shape == (4, 3)


@pytest.mark.parametrize("num_batch_splits", [None, 4])
def test_fit(num_batch_splits):
    sam = make_wrapper(num_batch_splits=num_batch_splits)
    sam.compile("sgd", testing.cross_entropy(), metrics=["accuracy"])
    x, y = testing.data()
    history = sam.fit(x, y, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
@pytest.mark.parametrize("num_batch_splits", [None, 4])
def test_save(ending, num_batch_splits, tmp_path):
    sam = make_wrapper(rho=0.1, num_batch_splits=num_batch_splits)
    sam.compile("sgd", testing.cross_entropy())
    x, y = testing.data()
    sam.fit(x, y, verbose=0)
    path = tmp_path / f"model{ending}"
    if ending == ".keras":
        sam.save(path)
        loaded = keras.saving.load_model(path)
    else:
        sam.save_weights(path)
        loaded = make_wrapper(rho=0.1, num_batch_splits=num_batch_splits)
        loaded(x)
        loaded.load_weights(path)
    assert loaded.rho == 0.1
    assert loaded.num_batch_splits == num_batch_splits
    np.testing.assert_array_equal(loaded(x), sam(x))


def test_checkpoint(tmp_path):
    sam = make_wrapper()
    sam.compile("adam", testing.cross_entropy())
    x, y = testing.data()
    sam.fit(
        x,
        y,
        verbose=0,
        callbacks=keras.callbacks.ModelCheckpoint(tmp_path / "best.keras"),
    )
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    for model in (sam, loaded):
        model.fit(x, y, verbose=0, shuffle=False)
    for a, b in zip(sam.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


class Logged(keras_sam.SAM):
    """Overrides what the wrapper calls, as one would in a Keras model."""

    def __init__(self, model):
        super().__init__(model)
        self.largest = keras.metrics.Mean("largest")

    @property
    def metrics(self):
        return [self.largest, *super().metrics]

    def compute_loss(self, x, y, y_pred, sample_weight):
        return 2.0 * super().compute_loss(x, y, y_pred, sample_weight)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.largest.update_state(keras.ops.max(y_pred))
        return super().compute_metrics(x, y, y_pred, sample_weight)


def test_a_subclass_overrides_loss_and_metrics():
    fit = {"epochs": 1, "batch_size": 24}
    _, plain = testing.train(testing.dense_net, keras_sam.SAM, fit=fit)
    model, logs = testing.train(testing.dense_net, Logged, fit=fit)
    # The graph of what is doubled may be fused otherwise.
    assert logs["loss"] == pytest.approx([2.0 * plain["loss"][0]], rel=1e-6)
    assert logs["accuracy"] == plain["accuracy"]
    assert logs["largest"] != logs["loss"]


class OnlyEager(keras.Model):
    """Looks at values."""

    def __init__(self):
        super().__init__()
        self.logits = keras.layers.Dense(3)

    def call(self, inputs):
        logits = self.logits(inputs)
        return logits if float(keras.ops.max(logits)) > 0 else -logits


@testing.TENSORFLOW  # On JAX Keras first calls it on shapes.
def test_a_model_that_runs_only_eagerly():
    net = OnlyEager()
    x, y = testing.data()
    net(x)
    sam = keras_sam.SAM(net)
    sam.compile(
        "adam", testing.cross_entropy(), metrics=["accuracy"], run_eagerly=True
    )
    history = sam.fit(x, y, verbose=0).history
    assert set(history) == {"loss", "accuracy"}


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_loss_may_use_a_network_of_its_own(mode):
    teacher = testing.dense_net()

    def distill(y, y_pred):
        return keras.ops.mean(keras.ops.square(teacher(y) - y_pred))

    x, _ = testing.data()
    kept = teacher.get_weights()
    testing.train(
        testing.dense_net,
        keras_sam.SAM,
        fit={"x": x, "y": x},
        loss=distill,
        metrics=None,
        **testing.MODES[mode],
    )
    for a, b in zip(kept, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_layer_may_use_a_network_that_it_does_not_own():
    foreign = keras.layers.Dense(6)
    foreign.build((None, 6))
    net = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(6),
            keras.layers.Lambda(lambda x: foreign(x), output_shape=(6,)),
        ]
    )
    x, _ = testing.data()
    for mode in ("eager", "graph"):
        sam = keras_sam.SAM(net)
        sam.compile("sgd", "mse", **testing.MODES[mode])
        assert np.isfinite(sam.train_on_batch(x, x))


def test_loops_look_like_those_of_keras():
    for name in ("fit", "evaluate", "predict", "train_on_batch"):
        own, keras_own = (
            getattr(keras_sam.SAM, name),
            getattr(keras.Model, name),
        )
        assert inspect.signature(own) == inspect.signature(keras_own)
        assert own.__qualname__ == f"Preparing.{name}" and own.__doc__


def test_fit_takes_data_that_begin_with_nothing():
    x, y = testing.data(8)
    data = generated(({"a": None, "b": x}, y))

    class OfB(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs["b"])

    sam = keras_sam.SAM(OfB())
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    assert np.isfinite(sam.fit(data, verbose=0).history["loss"]).all()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
