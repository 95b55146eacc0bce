"""What parts ask of the outputs of a model, and `descents.Functional`."""

import contextlib
import dataclasses
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import landscape
from keras_sam import parts
from keras_sam import vectors
from tests.support import engine
from tests.support import testing

SIZE = 8


@keras.saving.register_keras_serializable(package="outputs_test")
class Adds(keras.layers.Layer):
    """Adds a loss that depends on its inputs."""

    def call(self, inputs):
        self.add_loss(0.1 * ops.mean(inputs**2))
        return inputs


def full_net(normalized=True):
    """Returns a model whose outputs are a dict of a dict, with all losses."""
    inputs = keras.Input((6,))
    l2 = keras.regularizers.L2(0.05)
    x = keras.layers.Dense(8, kernel_regularizer=l2, name="hidden")(inputs)
    if normalized:
        x = keras.layers.BatchNormalization(name="norm")(x)
        x = keras.layers.Dropout(0.3, seed=7)(x)
    x = keras.layers.Activation(
        "tanh", activity_regularizer=keras.regularizers.L1(0.05)
    )(x)
    one = keras.layers.Dense(3, name="one")(Adds()(x))
    two = keras.layers.Dense(2, activation="softplus", name="two")(x)
    unused = keras.layers.Dense(2, name="unused")(x)
    outputs = {"one": one, "more": {"two": two, "unused": unused}}
    return keras.Model(inputs, outputs)


def linear(y_true, y_pred):
    return ops.sum(ops.cast(y_true, y_pred.dtype) * y_pred, -1)


def square(y_true, y_pred):
    return ops.sum((ops.cast(y_true, y_pred.dtype) - y_pred) ** 2, -1)


def data(seed=0):
    random = np.random.RandomState(seed)
    one, two = random.normal(size=(SIZE, 3)), random.normal(size=(SIZE, 2))
    x = random.normal(size=(SIZE, 6)).astype("float32")
    return x, {"one": one, "more": {"two": two, "unused": two}}


def compiled(make, mode="graph", optimizer=None, **arguments):
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(make(), rho=0.3, **arguments)
    sam.compile(
        optimizer or keras.optimizers.SGD(0.5, momentum=0.5, weight_decay=0.1),
        {"one": linear, "more": {"two": linear, "unused": None}},
        loss_weights={"one": 1.0, "more": {"two": 2.0, "unused": None}},
        **testing.MODES[mode],
    )
    sam.optimizer.build(sam.trainable_variables)
    return sam


def stepped(sam, steps=2):
    """Trains; returns all weights, states and slots."""
    for seed in range(steps):
        testing.replicated_step(sam, *data(seed))
    return [v.numpy() for v in [*sam.variables, *sam.optimizer.variables]]


def assert_close(first, second, atol=1e-5):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


PLACES = {
    "alone": {},
    "splits": {"num_batch_splits": 2},
    "replicas": {},
    "synced": {"sync_perturbations": True},
    "synced, not always": {
        "sync_perturbations": True,
        "cadence": cadences.Randomly(0.5, seed=4),
    },
    "not always": {"cadence": cadences.Every(2)},
    "some variables": {"perturb": "hidden", "ascent_steps": 2},
}


RUNS = [
    *((place, "graph") for place in PLACES),
    ("alone", "eager"),
    ("splits", "eager"),
    ("alone", "xla"),
]


@pytest.mark.parametrize(
    "run",
    testing.thinned(
        RUNS,
        lambda i, run: (
            run[0] not in ("replicas", "synced", "not always")
            and run[1] != "xla"
        ),
    ),
    ids="-".join,
)
def test_functional_is_sam_if_the_loss_is_linear(run):
    """With dropout, batch statistics, regularizers, and an unused output."""
    place, mode = run
    two = "replicas" in place or "synced" in place
    devices = engine.two_devices if two else contextlib.nullcontext
    found = []
    for descent in (descents.Last(), descents.Functional()):
        with devices():
            sam = compiled(full_net, mode, descent=descent, **PLACES[place])
            before = [v.numpy() for v in sam.trainable_variables]
            found.append(stepped(sam))
    assert_close(*found)
    moved = {
        v.path: bool((a != v.numpy()).any())
        for a, v in zip(before, sam.trainable_variables, strict=True)
    }
    # Nothing depends on the unused output: no gradient, no weight decay.
    plain = compiled(full_net, "eager", ascent_steps=0)
    still = [v.numpy() for v in plain.trainable_variables]
    stepped(plain, 1)
    assert moved == {
        v.path: bool((a != v.numpy()).any())
        for a, v in zip(still, plain.trainable_variables, strict=True)
    }


def test_functional_without_a_radius_is_plain_keras():
    found = []
    for arguments in ({"ascent_steps": 0}, {"descent": descents.Functional()}):
        keras.utils.set_random_seed(1)
        sam = keras_sam.SAM(testing.full_net(), rho=0.0, **arguments)
        sam.compile("sgd", testing.cross_entropy())
        for seed in range(3):
            sam.train_on_batch(*testing.data(SIZE, seed=seed))
        found.append([v.numpy() for v in sam.model.variables])
    assert_close(*found, 1e-6)


@pytest.mark.parametrize("mode", testing.MODES)
def test_functional_of_several_outputs_and_other_terms(mode):
    """By hand: c at w, and the gradients of J and of all other terms at z."""
    keras.utils.set_random_seed(1)
    net = full_net(normalized=False)
    x, y = data()
    before = [v.numpy() for v in net.trainable_variables]
    weights = [1.0, 2.0]

    def forward():
        outputs = net(x, training=True)
        pairs = [
            (y["one"], outputs["one"]),
            (y["more"]["two"], outputs["more"]["two"]),
        ]
        return pairs, sum(net.losses)

    def loss_of(pairs):
        return sum(
            w * ops.mean(square(*pair))
            for w, pair in zip(weights, pairs, strict=True)
        )

    trained = net.trainable_variables

    def loss():
        pairs, rest = forward()
        return loss_of(pairs) + rest

    grads = engine.gradients(loss, trained)
    length = np.sqrt(sum(np.sum(g**2) for g in grads))
    pairs, _ = forward()
    outputs = [keras.Variable(output) for _, output in pairs]
    slopes = engine.gradients(
        lambda: loss_of(
            [(true, o) for (true, _), o in zip(pairs, outputs, strict=True)]
        ),
        outputs,
    )
    for v, g in zip(trained, grads, strict=True):
        v.assign_add(0.3 * g / length)

    def linearized():
        pairs, rest = forward()
        return rest + sum(
            ops.sum(c * output)
            for c, (_, output) in zip(slopes, pairs, strict=True)
        )

    expected = engine.gradients(linearized, trained)
    for v, w in zip(trained, before, strict=True):
        v.assign(w)
    sam = keras_sam.SAM(net, rho=0.3, descent=descents.Functional())
    losses = {"one": square, "more": {"two": square, "unused": None}}
    sam.compile(
        keras.optimizers.SGD(1.0),
        losses,
        loss_weights={"one": 1.0, "more": {"two": 2.0, "unused": None}},
        **testing.MODES[mode],
    )
    sam.train_on_batch(x, y)
    for w, v, d in zip(before, sam.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(w - v.numpy(), d, rtol=0, atol=2e-6)


def test_functional_in_float16():
    """The loss scale keeps the gradients of outputs above zero."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        found = []
        for descent in (descents.Last(), descents.Functional()):
            keras.utils.set_random_seed(1)
            sam = keras_sam.SAM(testing.dense_net(), rho=1e-3, descent=descent)
            # Of a mean over many, the gradients of float16 outputs vanish.
            sam.compile(
                keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e7)),
                lambda y, p: 1e-7 * ops.cast(ops.mean(p, -1), "float32"),
            )
            before = sam.model.get_weights()
            sam.train_on_batch(*testing.data(SIZE))
            after = sam.model.get_weights()
            found.append([a - b for a, b in zip(after, before, strict=True)])
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(abs(w).max() > 0.01 for w in found[0])
    assert_close(*found, 2e-3)


# The protocol.


class Asking(parts.Descent):
    """Calls a function with the context; descends with g_0."""

    def __init__(self, ask):
        self.ask, self.answer = ask, None

    def __call__(self, clean, path, *, context):
        self.answer = self.ask(clean, path, context)
        return clean.grads


def asked(ask, make=testing.full_net, loss=None, batch=None, **arguments):
    keras.utils.set_random_seed(1)
    descent = Asking(ask)
    sam = keras_sam.SAM(make(), descent=descent, **arguments)
    sam.compile("sgd", loss or testing.cross_entropy(), run_eagerly=True)
    sam.train_on_batch(*(batch or testing.data(SIZE)))
    return descent.answer


def test_outputs_have_the_mask_of_the_clean_pass():
    clean, again = asked(
        lambda clean, path, context: (
            clean.y_pred,
            context.outputs(clean.params),
        )
    )
    # JAX rounds otherwise where it differentiates. Another mask is far away.
    np.testing.assert_allclose(clean, again, rtol=1e-5 if engine.JAX else 0)


def softmax_net():
    return keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3, activation="softmax")]
    )


PROBABILITIES = "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    ("make", "loss"),
    [
        (testing.full_net, None),
        # On TensorFlow, Keras's losses take the logits from behind them.
        pytest.param(
            softmax_net,
            PROBABILITIES,
            marks=pytest.mark.skipif(
                not engine.JAX, reason="TensorFlow takes logits"
            ),
        ),
    ],
)
def test_output_gradients_give_the_gradient(make, loss):
    def ask(clean, path, context):
        slopes = context.output_gradients(clean.params, clean.y_pred)
        return clean.grads, context.gradient(clean.params, slopes), slopes

    grads, again, slopes = asked(ask, make, loss)
    assert_close(grads, again, 1e-6)
    assert slopes.dtype == "float32" and slopes.shape == (SIZE, 3)


def test_without_gradients_of_outputs_the_rest_is_left():
    def make():
        l2 = keras.regularizers.L2(0.1)
        layer = keras.layers.Dense(3, kernel_regularizer=l2)
        return keras.Sequential([keras.Input((6,)), layer])

    (kernel, bias), (of_kernel, of_bias) = asked(
        lambda clean, path, context: (
            clean.params,
            context.gradient(clean.params, 0 * clean.y_pred),
        ),
        make,
    )
    assert np.abs(kernel).max() > 0.1 and bias is not None
    np.testing.assert_allclose(of_kernel, 0.2 * kernel, rtol=1e-6)
    np.testing.assert_array_equal(of_bias, np.zeros(3))


def two_same():
    inputs = keras.Input((6,))
    x = keras.layers.Dense(3)(inputs)
    return keras.Model(inputs, [x, x])


def test_an_output_that_is_there_twice_counts_twice():
    def ask(clean, path, context):
        slopes = context.output_gradients(clean.params, clean.y_pred)
        return clean.grads, context.gradient(clean.params, slopes), slopes

    x, y = testing.data(SIZE)
    grads, again, slopes = asked(
        ask, two_same, [testing.cross_entropy()] * 2, (x, [y, y])
    )
    assert_close(grads, again, 1e-6)
    np.testing.assert_array_equal(*slopes)


def test_an_output_of_ints_has_no_gradient():
    def make():
        inputs = keras.Input((6,))
        x = keras.layers.Dense(3)(inputs)
        return keras.Model(inputs, {"x": x, "ids": ops.argmax(x, -1)})

    def ask(clean, path, context):
        slopes = context.output_gradients(clean.params, clean.y_pred)
        return slopes, clean.grads, context.gradient(clean.params, slopes)

    x, y = testing.data(SIZE)
    loss = {"x": testing.cross_entropy(), "ids": None}
    slopes, grads, again = asked(ask, make, loss, (x, {"x": y, "ids": y}))
    assert slopes["ids"] is None and slopes["x"] is not None
    assert_close(grads, again, 1e-6)


@pytest.mark.parametrize(
    "wrong", [lambda y: [y], lambda y: y[:, :2], lambda y: {"y": y}]
)
def test_other_structures_and_shapes_are_refused(wrong):
    def ask(clean, path, context):
        return context.gradient(clean.params, wrong(clean.y_pred))

    with pytest.raises(ValueError, match="must have the structure and the sh"):
        asked(ask)


@testing.TENSORFLOW
def test_ragged_outputs_are_refused():
    class Ragged(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return engine.tf.RaggedTensor.from_tensor(self.dense(x))

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return ops.mean(y_pred.flat_values**2)

    model = Ragged()
    model(np.zeros((1, 6), "float32"))
    sam = keras_sam.SAM(model, descent=descents.Functional())
    sam.compile("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="outputs that are dense tensors"):
        sam.train_on_batch(*testing.data(SIZE))


@dataclasses.dataclass(frozen=True)
class Trusting(parts.Direction):
    """`D g / ||g||`, D the squared distance of outputs at w and w + g/||g||.

    So TRAM asks for outputs.
    """

    def __call__(self, grads, params, *, context):
        unit = vectors.unit(grads)
        here = context.outputs(params)
        there = context.outputs(vectors.add(params, unit))
        distance = context.average(ops.mean((here - there) ** 2))
        return vectors.scale(distance, unit)


@pytest.mark.parametrize("place", ["eager", "graph", "synced", "gated"])
def test_a_radius_from_outputs(place):
    given = {"sync_perturbations": place in ("synced", "gated")}
    if place == "gated":
        given["cadence"] = cadences.Threshold(9)
    two = given["sync_perturbations"]
    devices = engine.two_devices if two else contextlib.nullcontext

    def step(descent, direction=None):
        keras.utils.set_random_seed(1)
        with devices():
            sam = keras_sam.SAM(
                testing.dense_net(),
                rho=1.0,
                descent=descent,
                **given,
                **({"direction": direction} if direction else {}),
            )
            sam.compile(
                keras.optimizers.SGD(1.0),
                testing.cross_entropy(),
                run_eagerly=place == "eager",
            )
            sam.optimizer.build(sam.trainable_variables)
            before = sam.get_weights()[:4]
            testing.replicated_step(sam, *testing.data(SIZE))
        return before, sam.get_weights()[:4]

    class Climbed(parts.Descent):
        """The way climbed."""

        def __call__(self, clean, path):
            end = parts.last(clean, path)
            return vectors.subtract(end.params, clean.params)

    weights, after = step(Climbed())
    unit = [a - b for a, b in zip(weights, after, strict=True)]
    weights, after = step(Climbed(), Trusting())
    way = [a - b for a, b in zip(weights, after, strict=True)]
    net = testing.dense_net()
    x, _ = testing.data(SIZE)
    net.set_weights(weights)
    here = net(x)
    net.set_weights([w + u for w, u in zip(weights, unit, strict=True)])
    distance = float(ops.mean((here - net(x)) ** 2))
    assert distance > 1e-3
    assert_close([distance * u for u in unit], way)


@testing.TENSORFLOW
@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_probabilities_are_no_outputs(mode):
    """Keras's losses take the logits from behind them."""
    sam = keras_sam.SAM(softmax_net(), descent=descents.Functional())
    sam.compile("sgd", PROBABILITIES, **testing.MODES[mode])
    with pytest.raises(ValueError, match="a model that ends in logits"):
        sam.train_on_batch(*testing.data(SIZE))


@dataclasses.dataclass(frozen=True)
class Halved(parts.Direction):
    """Climbs on the first output alone."""

    def __call__(self, grads, params, *, context):
        slopes = context.output_gradients(params, context.outputs(params))
        return context.gradient(params, {**slopes, "two": None})


@pytest.mark.parametrize("mode", testing.MODES)
def test_an_output_that_does_not_climb_is_trained(mode):
    inputs = keras.Input((6,))
    outputs = {n: keras.layers.Dense(3, name=n)(inputs) for n in ("one", "two")}
    sam = keras_sam.SAM(keras.Model(inputs, outputs), direction=Halved())
    loss = dict.fromkeys(outputs, testing.cross_entropy())
    sam.compile("sgd", loss, **testing.MODES[mode])
    before = sam.get_weights()
    x, y = testing.data(SIZE)
    sam.train_on_batch(x, dict.fromkeys(outputs, y))
    for old, new in zip(before, sam.get_weights()):
        assert (old != new).any()


def test_a_landscape_has_no_outputs():
    keras.utils.set_random_seed(1)
    net = testing.dense_net()
    net.compile("sgd", testing.cross_entropy())
    at = landscape.Landscape(net, *testing.data(SIZE))
    with pytest.raises(
        NotImplementedError, match="A landscape must be climbed"
    ):
        landscape.sharpness(at, 0.1, ascent_steps=1, direction=Trusting())


def bounded(y, compiled=None, **arguments):
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(
        testing.dense_net(), direction=directions.LowerBound(), **arguments
    )
    sam.compile("sgd", compiled or testing.cross_entropy(), run_eagerly=True)
    sam.train_on_batch(testing.data(SIZE)[0], y)
    return sam.get_weights()


def test_labels_in_any_form_have_one_bound():
    _, y = testing.data(SIZE)
    one_hot = keras.losses.CategoricalCrossentropy(from_logits=True)
    expected = bounded(y)
    assert_close(expected, bounded(y[:, None].astype("float32")), 1e-7)
    assert_close(expected, bounded(np.eye(3)[y], one_hot), 1e-7)


def test_the_bound_of_parts_is_that_of_the_batch():
    """The mean is over the examples: so two replicas are one device."""

    def step(**given):
        keras.utils.set_random_seed(1)
        sam = keras_sam.SAM(
            testing.dense_net(), direction=directions.LowerBound(), **given
        )
        sam.compile("sgd", testing.cross_entropy())
        sam.optimizer.build(sam.trainable_variables)
        testing.replicated_step(sam, *testing.data(SIZE))
        return sam.get_weights()

    with engine.two_devices():
        two = step(sync_perturbations=True)
    assert_close(two, step(), 1e-6)


def test_other_outputs_have_no_bound():
    with pytest.raises(ValueError, match="`LowerBound` needs a model with one"):
        bounded(np.zeros((SIZE, 2)), lambda y, p: ops.mean(p**2, -1))


def test_a_loss_of_ones_own_must_be_a_scalar():
    def ask(clean, path, context):
        return context.output_gradients(
            clean.params, clean.y_pred, lambda y_true, y_pred: y_pred
        )

    with pytest.raises(ValueError, match="`loss` must return one number"):
        asked(ask)


# The end of the climb.


class Unevaluated(parts.Descent):
    """Notes the points; descends with g_0."""

    skips_end = True

    def __init__(self):
        self.points = []

    def __call__(self, clean, path, *, context):
        self.points = list(path)
        self.again = list(context.climb())
        return clean.grads


@pytest.mark.parametrize(
    ("given", "evaluated"),
    [
        ({}, False),
        ({"track": True}, True),
        # It learns from the gradient at the end.
        ({"direction": directions.AdaptiveRandom()}, True),
    ],
)
def test_an_end_that_is_not_evaluated(given, evaluated):
    descent = Unevaluated()
    sam = keras_sam.SAM(
        testing.dense_net(), ascent_steps=2, descent=descent, **given
    )
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    sam.train_on_batch(*testing.data(SIZE))
    for middle, end in (descent.points, descent.again):
        assert len(middle.grads) == len(end.params) == 4
        assert (end.loss is None) == (not evaluated)
        assert len(end.grads) == (4 if evaluated else 0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
