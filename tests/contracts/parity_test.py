"""Tests that without a climb, or with radius 0, the wrapper is plain Keras.

Without a climb, a step is the graph that Keras makes. Weights, batch
statistics, seeds, optimizer slots and history are equal to the bit. With radius
0, a step has passes that Keras has not. On some processors TensorFlow then
fuses other operations, so results are equal but for rounding.
"""

import functools
import sys

import keras
import numpy as np
import pytest
from keras import layers
from keras import ops
from keras import optimizers

from tests.support import engine

from tests.support import testing  # isort: skip

import keras_sam

NO_STEPS = {"ascent_steps": 0}
NO_RADIUS = {"rho": 0.0, "ascent_steps": 2}
BOTH = (NO_STEPS, NO_RADIUS)

# A few units in the last place of float32 numbers near 1, after six steps. An
# extra pass, or another dropout mask, makes differences above 1e-4.
ROUNDING = 1e-6


def climbs(arguments):
    """Whether a wrapper of these arguments has passes that Keras has not."""
    return arguments.get("ascent_steps") != 0


def assert_parity(case, *wrappers, rounding=ROUNDING):
    """Asserts that training with and without the wrapper is the same.

    Args:
        case: Function that returns arguments for `testing.train`.
        *wrappers: Dicts of arguments for the wrapper, one training for each.
        rounding: Float, how far weights and history may differ where the
            wrapper climbs. Where it does not, they are equal to the bit.
    """
    plain = testing.train(**case())
    for arguments in wrappers:
        model, history = testing.train(
            wrap=lambda m, a=arguments: keras_sam.SAM(m, **a), **case()
        )
        assert set(history) == set(plain[1])
        history = {name: history[name] for name in plain[1]}
        atol = rounding if climbs(arguments) else 0.0
        testing.assert_same(plain, (model, history), atol)


@pytest.fixture
def policy():
    """A function that sets the global dtype policy for one test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


# Layers and models.


class Noise(layers.Layer):
    """Adds noise, from seeds of its own or from Keras's global ones."""

    def __init__(self, own):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(3) if own else None

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)


class AddedLoss(layers.Layer):
    def call(self, inputs):
        self.add_loss(0.1 * ops.mean(inputs**2))
        return inputs


class Idle(layers.Layer):
    """Has a weight that it does not use."""

    def build(self, input_shape):
        self.idle = self.add_weight(shape=input_shape[1:])

    def call(self, inputs):
        return inputs


class Shapeless(layers.Layer):
    """Has a weight whose gradient has no static shape in TensorFlow."""

    def build(self, input_shape):
        self.scale = self.add_weight(
            shape=input_shape[1:], initializer="ones", name="shapeless"
        )

    def call(self, inputs):
        @engine.tf.custom_gradient
        def read(scale):
            def gradient(upstream):
                return engine.tf.numpy_function(np.copy, [upstream], "float32")

            return engine.tf.identity(scale), gradient

        return inputs * read(ops.convert_to_tensor(self.scale))


class Transposed(layers.Layer):
    """Multiplies with the transposed kernel of another layer."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def call(self, inputs):
        return inputs @ ops.transpose(self.other.kernel)


class Scaled(layers.Layer):
    """Uses its state after updating it."""

    def build(self, input_shape):
        self.size = self.add_weight(trainable=False)

    def call(self, inputs):
        self.size.assign(ops.mean(ops.abs(inputs)))
        return inputs / self.size


class Shrinking(layers.Layer):
    """Uses a trained weight before and after assigning to it."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 3))

    def call(self, inputs):
        before = inputs @ self.kernel
        self.kernel.assign(0.9 * self.kernel)
        return before + ops.tanh(inputs @ self.kernel)


class Subclass(keras.Model):
    """Updates a metric of its own."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.3)
        self.logits = layers.Dense(3)
        self.size = keras.metrics.Mean(name="size")

    def call(self, inputs, training=None):
        hidden = self.drop(self.norm(self.hidden(inputs)))
        self.size.update_state(ops.mean(ops.abs(hidden)))
        return self.logits(hidden)


class WithoutTraining(Subclass):
    """Is never in training mode, since its `call` has no `training`."""

    def call(self, inputs):
        return super().call(inputs)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        x, y = testing.data(seed=index)
        return x[:8], y[:8]


def net(*hidden, shape=(6,), batch_size=None):
    """Returns a classifier with the given hidden layers."""
    inputs = keras.Input(shape, batch_size)
    return keras.Sequential([inputs, *hidden, layers.Dense(3)])


def built():
    model = Subclass()
    model(testing.data()[0])
    return model


def unbuilt():
    return keras.Sequential([layers.Dense(8), layers.Dropout(0.3)])


def frozen():
    model = testing.full_net()
    model.get_layer("hidden").trainable = False
    model.get_layer("norm").trainable = False
    return model


def lora():
    model = testing.dense_net()
    model.get_layer("hidden").enable_lora(2)
    return model


def quantized(mode):
    model = testing.dense_net()
    model.quantize(mode, filters=["hidden", "logits"])
    return model


def nested():
    block = net(layers.Dense(8), layers.Dropout(0.3), Noise(own=True))
    inputs = keras.Input((6,))
    return keras.Model(inputs, layers.Dense(3)(block(inputs)))


def shared_weights():
    first, second = keras.Input((6,)), keras.Input((6,))
    hidden = layers.Dense(6, activation="tanh")
    x = layers.Concatenate()([hidden(first), hidden(second)])
    x = layers.Concatenate()([x, Transposed(hidden)(second)])
    return keras.Model([first, second], layers.Dense(3)(x))


def attention():
    inputs = keras.Input((5, 6))
    x = layers.MultiHeadAttention(2, 3, dropout=0.2)(inputs, inputs)
    x = layers.LayerNormalization()(x + inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def words():
    inputs = keras.Input((), dtype="string")
    vocabulary = ["up", "down", "left"]
    first = layers.TextVectorization(
        vocabulary=vocabulary, output_mode="multi_hot"
    )
    second = layers.StringLookup(vocabulary=vocabulary, output_mode="one_hot")
    x = layers.Concatenate()([first(inputs), second(inputs)])
    return keras.Model(inputs, layers.Dense(3)(x))


def list_outputs():
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="tanh")(inputs)
    outputs = [layers.Dense(n, name=f"out{n}")(x) for n in (3, 1)]
    return keras.Model(inputs, outputs)


def dict_outputs():
    inputs = {name: keras.Input((6,), name=name) for name in "ab"}
    x = layers.Concatenate()(list(inputs.values()))
    x = layers.Dense(8, activation="tanh")(x)
    outputs = {
        "class": layers.Dense(3, name="class")(x),
        "value": layers.Dense(1, name="value")(x),
    }
    return keras.Model(inputs, outputs)


# Cases: functions that return arguments for `testing.train`.


def sequences():
    """Returns 24 sequences of 5 vectors of length 6."""
    return testing.data(24 * 5)[0].reshape(24, 5, 6)


def unique_ids():
    """Returns 24 sequences of 5 ids, each of the 120 once."""
    return np.random.RandomState(0).permutation(120).reshape(24, 5)


def case(make=testing.dense_net, fit=None, **compiling):
    return {"make": make, "fit": fit, **compiling}


def dicts():
    x, y = testing.data()
    weights = {"class": x[:, 0] ** 2, "value": x[:, 1] ** 2}
    return case(
        dict_outputs,
        fit={
            "x": {"a": x, "b": x[::-1]},
            "y": {"class": y, "value": x[:, :1]},
            "sample_weight": weights,
        },
        loss={"class": testing.cross_entropy(), "value": "mse"},
        loss_weights={"class": 0.7, "value": 0.3},
        metrics={"class": ["accuracy"], "value": ["mae"]},
        weighted_metrics={"value": ["mse"]},
    )


def lists():
    x, y = testing.data()
    return case(
        list_outputs,
        fit={"y": [y, x[:, :1]]},
        loss=[testing.cross_entropy(), "mse"],
        metrics=[["accuracy"], ["mae"]],
    )


def strings():
    x = engine.tf.constant(["up", "left", "down", "up left"] * 6)
    return case(words, fit={"x": x})


def dataset():
    data = engine.tf.data.Dataset.from_tensor_slices(testing.data()).batch(8)
    return case(fit={"x": data, "y": None, "batch_size": None})


def py_dataset():
    return case(fit={"x": Batches(), "y": None, "batch_size": None})


def generator():
    batches = (Batches()[index % 3] for index in range(100))
    return case(
        fit={
            "x": batches,
            "y": None,
            "batch_size": None,
            "steps_per_epoch": 3,
        }
    )


def callbacks():
    rates = keras.callbacks.LearningRateScheduler(lambda e: 0.1 / (1 + e))
    stop = keras.callbacks.EarlyStopping("accuracy", min_delta=1.0)
    return case(fit={"epochs": 5, "callbacks": [rates, stop]})


FEATURES = {
    "added loss": lambda: case(lambda: net(AddedLoss(), layers.Dense(4))),
    "attention": lambda: case(attention, fit={"x": sequences()}),
    "built subclass": lambda: case(built),
    "callbacks": callbacks,
    "class weight": lambda: case(fit={"class_weight": {0: 1, 1: 2, 2: 0.5}}),
    "convolution": lambda: case(
        lambda: net(layers.Conv2D(4, 3), layers.Flatten(), shape=(5, 6, 1)),
        fit={"x": sequences()[..., None]},
    ),
    "dataset": dataset,
    "dicts": dicts,
    "float8": lambda: case(lambda: quantized("float8")),
    "frozen layers": lambda: case(frozen),
    "generator": generator,
    "global seeds": lambda: case(lambda: net(Noise(own=False))),
    "gru": lambda: case(
        lambda: net(layers.GRU(4, dropout=0.2), shape=(5, 6)),
        fit={"x": sequences()},
    ),
    "idle weight": lambda: case(lambda: net(Idle()), optimizer="adamw"),
    "initial epoch": lambda: case(fit={"initial_epoch": 1}),
    "int8": lambda: case(lambda: quantized("int8")),
    "lists": lists,
    "lora": lambda: case(lora),
    "nested": lambda: case(nested),
    "py dataset": py_dataset,
    "sample weight": lambda: case(
        fit={"sample_weight": testing.data()[0][:, 0] ** 2},
        weighted_metrics=["accuracy"],
    ),
    "seed generator": lambda: case(lambda: net(Noise(own=True))),
    "shared weights": lambda: case(
        shared_weights,
        fit={"x": [testing.data()[0], testing.data(seed=1)[0]]},
    ),
    "shrinking": lambda: case(lambda: net(Shrinking())),
    "spectral normalization": lambda: case(
        lambda: net(layers.SpectralNormalization(layers.Dense(8)))
    ),
    "state used after update": lambda: case(
        lambda: net(layers.Dense(4), Scaled())
    ),
    "stateful lstm": lambda: case(
        lambda: net(layers.LSTM(4, stateful=True), shape=(5, 6), batch_size=8),
        fit={"x": sequences()},
    ),
    "steps per execution": lambda: case(steps_per_execution=2),
    "strings": strings,
    "subclass": lambda: case(Subclass),
    "unbuilt": lambda: case(unbuilt),
    "uneven batch": lambda: case(fit={"batch_size": 7}),
    "unseeded dropout": lambda: case(lambda: net(layers.Dropout(0.3))),
    "validation": lambda: case(fit={"validation_data": testing.data(10)}),
    "without training": lambda: case(WithoutTraining),
}

if engine.JAX:
    for need in ("dataset", "strings"):  # TensorFlow.
        del FEATURES[need]
    # On JAX plain Keras refuses global seeds, and fails where a call updates a
    # metric of the model.
    for failing in (
        *("built subclass", "subclass", "without training"),
        "global seeds",
    ):
        del FEATURES[failing]

OPTIMIZERS = {
    **{
        name: getattr(optimizers, name)
        for name in (
            "Adadelta",
            "Adafactor",
            "Adagrad",
            "Adam",
            "AdamW",
            "Adamax",
            "Ftrl",
            "Lamb",
            "Lion",
            "Muon",
            "Nadam",
            "RMSprop",
            "SGD",
            "ScheduleFreeAdamW",
        )
    },
    "LossScaleOptimizer": lambda: optimizers.LossScaleOptimizer(
        optimizers.SGD(), initial_scale=1024.0, dynamic_growth_steps=2
    ),
    "clipnorm": lambda: optimizers.SGD(clipnorm=0.1),
    "clipvalue": lambda: optimizers.SGD(clipvalue=0.01),
    "global_clipnorm": lambda: optimizers.SGD(global_clipnorm=0.1),
    "gradient accumulation": lambda: optimizers.Adam(
        gradient_accumulation_steps=2
    ),
    "loss scale": lambda: optimizers.SGD(loss_scale_factor=8.0),
    "moving average": lambda: optimizers.SGD(
        use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2
    ),
    "schedule": lambda: optimizers.SGD(
        optimizers.schedules.CosineDecay(0.1, 6), momentum=0.9, nesterov=True
    ),
    "weight decay": lambda: optimizers.Adam(weight_decay=0.1),
}
if hasattr(optimizers, "MultiOptimizer"):  # Not before Keras 3.15.
    OPTIMIZERS["MultiOptimizer"] = lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(
            optimizers.SGD(), {".*hidden.*": optimizers.Adam()}
        )
    )


def adam():
    """Returns an Adam that makes no steps of rounding errors.

    Before a normalization, the gradient of a bias is nothing but rounding
    errors. Adam would divide them by their own size.
    """
    return optimizers.Adam(epsilon=1e-3)


@pytest.mark.parametrize("mode", testing.MODES)
def test_mode(mode):
    assert_parity(
        lambda: case(testing.full_net, optimizer=adam, **testing.MODES[mode]),
        *BOTH,
    )


# Numbers have 8 bits. A difference in the last place of float32 may change such
# a number by its last place, which is a sixteenth of an activation. The
# learning rate of 0.01 makes the difference smaller.
EIGHT_BITS = {"int8": 1e-2, "float8": 1e-2}


@pytest.mark.parametrize("name", FEATURES)
def test_feature(name):
    rounding = EIGHT_BITS.get(name, ROUNDING)
    assert_parity(FEATURES[name], *BOTH, rounding=rounding)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name):
    assert_parity(
        lambda: case(
            optimizer=OPTIMIZERS[name], fit={"epochs": 1}, run_eagerly=True
        ),
        NO_STEPS,
    )


def test_every_optimizer_is_tested():
    base = optimizers.Optimizer
    shipped = {
        name
        for name, value in vars(optimizers).items()
        if isinstance(value, type) and issubclass(value, base)
    }
    assert shipped - {"Optimizer"} <= set(OPTIMIZERS)


PRECISE = testing.full_net if engine.JAX else Subclass


@pytest.mark.parametrize(
    ("precision", "rounding"),
    [
        # Losses are kept in float32. On JAX Keras has no float64.
        *([] if engine.JAX else [("float64", 1e-6)]),
        # Some units in the last of the 8 or 11 bits of activations.
        ("mixed_bfloat16", 2e-2),
        ("mixed_float16", 2e-3),
    ],
)
def test_precision(policy, precision, rounding):
    policy(precision)
    assert_parity(lambda: case(PRECISE), *BOTH, rounding=rounding)


def test_xla_inside_and_outside():
    assert_parity(lambda: case(jit_compile=True), {**NO_RADIUS, "xla": True})


def test_xla_inside_alone():
    assert_parity(case, {**NO_RADIUS, "xla": True})


def test_frozen_after_wrapping():
    def freeze(wrap):
        def wrapped(model):
            trained = wrap(model)
            model.get_layer("hidden").trainable = False
            return trained

        return wrapped

    plain = testing.train(testing.full_net, freeze(lambda m: m))
    for arguments in BOTH:
        sam = testing.train(
            testing.full_net,
            freeze(lambda m, a=arguments: keras_sam.SAM(m, **a)),
        )
        testing.assert_same(plain, sam, ROUNDING if climbs(arguments) else 0.0)


# Embeddings. Their gradients are slices, where an id may occur twice.


def test_masking():
    def make():
        return keras.Sequential(
            [
                layers.Embedding(6, 4, mask_zero=True),
                layers.LSTM(4, return_sequences=True),
                layers.Dense(3),
            ]
        )

    ids = unique_ids() % 6
    assert_parity(
        lambda: case(
            make,
            fit={"x": ids, "y": ids % 3},
            # On JAX plain Keras forgets the mask in `fit`: `loops_test.py`.
            metrics=[] if engine.JAX else ["accuracy"],
            weighted_metrics=[] if engine.JAX else ["accuracy"],
        ),
        *BOTH,
    )


ON_SLICES = {
    "sgd": lambda: "sgd",
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam": lambda: keras.optimizers.Adam(),
    "clipnorm": lambda: keras.optimizers.Adam(clipnorm=0.01),
    "global_clipnorm": lambda: keras.optimizers.SGD(global_clipnorm=0.01),
    "accumulation": lambda: keras.optimizers.SGD(gradient_accumulation_steps=2),
    "decay": lambda: keras.optimizers.AdamW(weight_decay=0.1),
    "average": lambda: keras.optimizers.SGD(
        use_ema=True, ema_overwrite_frequency=2
    ),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam()
    ),
}


@pytest.mark.parametrize(
    "name, arguments",
    [
        *((name, NO_STEPS) for name in ON_SLICES),
        ("adam", NO_RADIUS),
        ("global_clipnorm", NO_RADIUS),
    ],
)
def test_repeated_ids(name, arguments):
    def make():
        return keras.Sequential(
            [layers.Embedding(120, 4), layers.Flatten(), layers.Dense(3)]
        )

    assert_parity(
        lambda: case(
            make,
            fit={"x": unique_ids() % 7},
            optimizer=ON_SLICES[name](),
        ),
        arguments,
    )


# What a climb must not change.


def one_step(make, **arguments):
    """Returns (plain model, history), (wrapped, history) after one batch."""
    x, y = testing.data(8)
    fit = {"x": x, "y": y, "epochs": 1}
    wrap = functools.partial(keras_sam.SAM, **arguments)
    plain = testing.train(make, fit=fit)
    return plain, testing.train(make, wrap, fit=fit)


def test_climb_keeps_state_and_metrics():
    (plain, plain_history), (sam, history) = one_step(
        testing.full_net, rho=1.0, ascent_steps=3
    )
    assert history.keys() == plain_history.keys()
    for name, values in plain_history.items():
        np.testing.assert_allclose(history[name], values, atol=ROUNDING)
    for a, b in zip(plain.variables, sam.model.variables, strict=True):
        # Before a normalization, a bias has a gradient of rounding errors.
        if a.path != "hidden/bias":
            assert near(a, b) == (not a.trainable), a.path


def near(first, second):
    """Whether two variables differ by rounding alone, if at all."""
    return np.allclose(first, second, rtol=1e-6, atol=ROUNDING)


def test_climb_does_not_move_float8_scales():
    moved = []
    (plain, _), (sam, _) = one_step(
        lambda: quantized("float8"),
        rho=1.0,
        perturb=lambda variable: moved.append(variable) or True,
    )
    moved = {id(variable) for variable in moved}
    for a, b in zip(plain.variables, sam.model.variables, strict=True):
        scale = a.overwrite_with_gradient
        assert near(a, b) == scale, a.path
        assert (id(b) in moved) == (not scale), a.path


# Keras's other loops.


@pytest.mark.parametrize("arguments", BOTH)
def test_loops_other_than_fit(arguments):
    plain = testing.train(testing.full_net)[0]
    sam = testing.train(
        testing.full_net, lambda model: keras_sam.SAM(model, **arguments)
    )[0]
    x, y = testing.data(seed=1)
    for name, given in (
        ("evaluate", (x, y)),
        ("train_on_batch", (x, y)),
        ("test_on_batch", (x, y)),
        ("predict", (x,)),
        ("predict_on_batch", (x,)),
    ):
        np.testing.assert_allclose(
            getattr(plain, name)(*given),
            getattr(sam, name)(*given),
            rtol=0,
            atol=ROUNDING if climbs(arguments) else 0.0,
            err_msg=name,
        )


@pytest.mark.skipif(engine.JAX, reason="JAX knows all shapes")
def test_gradient_of_unknown_shape():
    """The weight must not move, since no step can follow such a gradient."""
    assert_parity(
        lambda: case(lambda: net(Shapeless())),
        {**NO_RADIUS, "perturb": "kernel|bias"},
    )


def test_metrics_of_a_compiled_part_are_not_ours():
    def make():
        backbone = keras.Sequential([keras.Input((6,)), keras.layers.Dense(6)])
        backbone.compile("sgd", "mse", metrics=["accuracy"])
        return keras.Sequential(
            [keras.Input((6,)), backbone, keras.layers.Dense(3)]
        )

    validation = {"validation_data": testing.data(), "epochs": 1}
    plain = testing.train(make, fit=validation)
    sam = testing.train(
        make, lambda m: keras_sam.SAM(m, ascent_steps=0), fit=validation
    )
    testing.assert_same(plain, sam)
    assert plain[1].keys() == sam[1].keys()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
