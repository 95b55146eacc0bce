"""The loss of a model as a function of its weights, over a data set."""

import sys

import keras
import numpy as np
import pytest
import scipy.sparse
from keras import tree

import keras_sam
from keras_sam._evaluation import datasets
from keras_sam.landscape import Landscape
from tests.support import engine
from tests.support import oracle
from tests.support import surfaces
from tests.support import testing


@pytest.fixture
def float64():
    with testing.float64():
        yield


def arrays(tensors):
    return [np.array(t) for t in tensors]


def compiled(model, loss=None, **arguments):
    model.compile("sgd", loss or testing.cross_entropy(), **arguments)
    return model


def full(eager=False, **arguments):
    keras.utils.set_random_seed(1)
    model = compiled(testing.full_net(), run_eagerly=eager)
    return Landscape(model, *testing.data(), **arguments)


@pytest.mark.parametrize("size", [1, 4, 13, 100])
@pytest.mark.usefixtures("float64")
def test_uneven_batches_add_up_to_the_data_exactly(size):
    at = surfaces.net(batch_size=size)
    w = surfaces.weights()
    x, y = surfaces.data()
    loss, grads = at.loss_and_gradient(at.params)
    assert at.size == 13
    assert at.loss(at.params) == float(loss)
    np.testing.assert_allclose(float(loss), oracle.loss(w, x, y), rtol=1e-14)
    for a, b in zip(grads, oracle.gradient(w, x, y)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-15)


@pytest.mark.usefixtures("float64")
def test_batches_are_landscapes_that_know_their_size():
    patches = list(surfaces.net(batch_size=5).batches())
    assert [(p.index, p.size) for p in patches] == [(0, 5), (1, 5), (2, 3)]
    w = surfaces.weights()
    for patch, (x, y) in zip(patches, surfaces.parts(5)):
        np.testing.assert_allclose(patch.loss(w), oracle.loss(w, x, y), 1e-14)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.usefixtures("float64")
def test_hessian_vector_product_is_the_hessian_of_a_quadratic(xla):
    hessian = [[2.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 0.0]]
    slopes = np.arange(15.0).reshape(5, 3)
    at = surfaces.quadratic(
        hessian, [1.0, 2.0, 3.0], slopes, batch_size=2, xla=xla
    )
    v = [np.array([0.3, -0.7, 1.1])]
    product = at.hessian_vector_product(at.params, v)
    np.testing.assert_allclose(product[0], hessian @ v[0], rtol=1e-14)


@pytest.mark.usefixtures("float64")
def test_squared_gradients_are_those_of_single_examples():
    at = surfaces.net(batch_size=5)
    w = surfaces.weights()
    x, y = surfaces.data()
    squares = [
        [g**2 for g in oracle.gradient(w, x[i : i + 1], y[i : i + 1])]
        for i in range(13)
    ]
    expected = [np.mean(s, axis=0) for s in zip(*squares)]
    actual = at.squared_gradients(at.params, 100)
    for a, b in zip(actual, expected):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-15)


def test_evaluation_mode_is_that_of_evaluate():
    at = full(batch_size=7)
    expected = at.model.evaluate(*testing.data(), batch_size=7, verbose=0)
    np.testing.assert_allclose(at.loss(at.params), expected, rtol=1e-6)


def test_training_mode_has_one_mask_and_keeps_no_statistics():
    at = full(training=True)
    before = surfaces.snapshot(at.model)
    losses = {at.loss(at.params) for _ in range(2)}
    assert len(losses) == 1
    assert losses != {full().loss(at.params)}
    for a, b in zip(before, surfaces.snapshot(at.model), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("eager", [True, False])
def test_everything_leaves_the_model_to_the_bit(eager):
    at = full(eager, batch_size=7)
    module = keras_sam.landscape
    before = surfaces.snapshot(at.model)
    module.sharpness(at, 0.1, ascent_steps=2)
    module.average_sharpness(at, 0.1, draws=2)
    module.path(at, 0.1)
    module.climbs(at, (0.1, 0.2))
    module.line(at, coordinates=[0.0, 1.0])
    module.plane(at, x=[0.0, 1.0], y=[1.0])
    module.ascent_plane(at, 0.1, x=[0.0], y=[0.0])
    at.hessian_vector_product(at.params, at.params)
    after = surfaces.snapshot(at.model)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_replicas_measure_what_one_device_does():
    """Replicas get 3 and 2 examples of a batch, and 1 and 0 of the last."""
    alone = full(batch_size=5)
    with engine.two_devices():
        model = compiled(testing.full_net())
    for variable, value in zip(model.variables, alone.model.variables):
        variable.assign(value)
    x, y = testing.data()
    both = Landscape(model, x[:21], y[:21], batch_size=5)
    alone = Landscape(alone.model, x[:21], y[:21], batch_size=5)
    assert [p.size for p in both.batches()] == [5, 5, 5, 5, 1]
    for a, b in zip(alone.batches(), both.batches(), strict=True):
        np.testing.assert_allclose(
            a.loss(alone.params), b.loss(both.params), rtol=1e-5
        )
    for a, b in zip(
        (*alone.gradient(alone.params), alone.params[0]),
        (*both.gradient(both.params), both.params[0]),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    for a, b in zip(
        alone.hessian_vector_product(alone.params, alone.params),
        both.hessian_vector_product(both.params, both.params),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    one = keras_sam.landscape.sharpness(alone, 0.1, ascent_steps=2)
    two = keras_sam.landscape.sharpness(both, 0.1, ascent_steps=2)
    np.testing.assert_allclose(one.losses, two.losses, rtol=1e-5)


def test_unbuilt_models_are_built():
    model = compiled(
        keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(3)])
    )
    at = Landscape(model, *testing.data())
    assert [tuple(w.shape) for w in at.params] == [
        *((6, 4), (4,), (4, 3), (3,))
    ]


def test_wrapped_models():
    sam = compiled(keras_sam.SAM(testing.full_net()))
    x, y = testing.data()
    sam.fit(x, y, verbose=0)
    at = Landscape(sam, x, y)
    expected = sam.evaluate(x, y, batch_size=128, verbose=0)
    np.testing.assert_allclose(at.loss(at.params), expected, rtol=1e-6)
    keras_sam.landscape.sharpness(at, perturb="^hidden/", ascent_steps=1)


# Data, in all forms that `fit` takes.


def nested_net():
    a = keras.Input((2,), name="a")
    b = keras.Input((4,), name="b")
    joined = keras.layers.Concatenate()([a, b])
    outputs = {
        "one": keras.layers.Dense(1, name="one")(joined),
        "two": keras.layers.Dense(3, name="two")(joined),
    }
    model = keras.Model({"a": a, "b": b}, outputs)
    losses = {"one": "mse", "two": testing.cross_entropy()}
    return compiled(model, losses)


def test_nested_data():
    x, y = testing.data()
    inputs = {"a": x[:, :2], "b": x[:, 2:]}
    targets = {"one": x[:, :1], "two": y}
    model = nested_net()
    at = Landscape(model, inputs, targets, batch_size=5)
    expected = model.evaluate(
        inputs, targets, batch_size=24, verbose=0, return_dict=True
    )
    np.testing.assert_allclose(at.loss(at.params), expected["loss"], rtol=1e-6)


def test_sample_weights_and_lists():
    a, b = keras.Input((2,)), keras.Input((4,))
    joined = keras.layers.Concatenate()([a, b])
    model = compiled(keras.Model([a, b], keras.layers.Dense(3)(joined)))
    x, y = testing.data()
    weight = np.linspace(0, 2, 24)
    inputs = [x[:, :2].astype("float64"), x[:, 2:]]
    at = Landscape(model, inputs, y, weight, batch_size=5)
    expected = model.evaluate(
        inputs, y, batch_size=24, sample_weight=weight, verbose=0
    )
    np.testing.assert_allclose(at.loss(at.params), expected, rtol=1e-6)


class OwnLoss(keras.Sequential):
    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        return keras.ops.mean((y - y_pred) ** 2)


def test_floats_are_those_of_the_model():
    """As in `fit`. A loss may subtract inputs and outputs of the model."""
    model = compiled(OwnLoss([keras.Input((6,)), keras.layers.Dense(1)]))
    x, _ = testing.data()
    x = x.astype("float64")
    at = Landscape(model, x, x[:, :1], batch_size=5)
    expected = np.mean((x[:, :1] - model.predict(x, verbose=0)) ** 2)
    np.testing.assert_allclose(at.loss(at.params), expected, rtol=1e-6)


@testing.TENSORFLOW  # Keras's StringLookup needs it.
def test_strings():
    layer = keras.layers.StringLookup(
        vocabulary=["a", "b"], output_mode="one_hot"
    )
    model = keras.Sequential([layer, keras.layers.Dense(3)])
    compiled(model)
    words = np.array([["a"], ["b"], ["c"]])
    at = Landscape(model, words, np.array([0, 1, 2]), batch_size=2)
    assert np.isfinite(at.loss(at.params))


class Slices(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 5

    def __getitem__(self, i):
        return self.x[5 * i : 5 * i + 5], self.y[5 * i : 5 * i + 5]


class Loader:
    """Batches that can be read many times, as a `DataLoader` of PyTorch."""

    def __init__(self, slices):
        self.slices = slices

    def __len__(self):
        return len(self.slices)

    def __iter__(self):
        return (self.slices[i] for i in range(len(self)))


def test_data_sets():
    x, y = testing.data()
    model = compiled(testing.dense_net())
    expected = Landscape(model, x, y, batch_size=5)
    sets = [Slices(x, y), Loader(Slices(x, y))]
    if not engine.JAX:
        slices = engine.tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
        sets = [slices, slices.repeat(1), Slices(x, y)]
    for data in sets:
        at = Landscape(model, data)
        assert at.size == 24
        assert at.number == 5
        assert at.loss(at.params) == expected.loss(at.params)


def test_sparse_inputs():
    """Of SciPy, of TensorFlow, and in batches of a PyDataset."""
    x, y = testing.data()
    x *= np.random.RandomState(1).uniform(size=x.shape) < 0.5
    inputs = keras.Input((6,), sparse=True)
    model = compiled(keras.Model(inputs, keras.layers.Dense(3)(inputs)))
    expected = np.mean(
        keras.losses.sparse_categorical_crossentropy(
            y, model(x), from_logits=True
        )
    )
    rows = scipy.sparse.csr_matrix(x)
    given = [(rows, y), (Slices(rows, y), None)]
    if not engine.JAX:
        given.append((engine.tf.sparse.from_dense(x), y))
    for data in given:
        at = Landscape(model, *data, batch_size=5)
        assert (at.size, at.number) == (24, 5)
        np.testing.assert_allclose(at.loss(at.params), expected, rtol=1e-6)


def test_targets_may_be_none():
    (x, _), (_, weight) = testing.data(), testing.data()
    data = next(iter(datasets.batches(x, None, weight, 5)))
    assert data[1] is None
    assert [len(t) for t in tree.flatten(data) if t is not None] == [5, 5]


# Bad input.


def test_bad_weights():
    at = full()
    for bad in (at.params[:-1], at.params[::-1]):
        with pytest.raises(
            ValueError, match="shaped like the weights of the model"
        ):
            keras_sam.landscape.sharpness(at, params=bad)


def bad_data_sets():
    numbers = engine.tf.data.Dataset.range
    return [
        (numbers(0), None, {}, ValueError, "no batch"),
        (numbers(3).batch(1).repeat(), None, {}, ValueError, "must end"),
        (numbers(3), np.zeros(3), {}, ValueError, "must be None"),
    ]


@pytest.mark.parametrize(
    ("x", "y", "arguments", "error", "match"),
    [
        (np.zeros((0, 6)), np.zeros(0), {}, ValueError, "no example"),
        (np.zeros((3, 6)), np.zeros(4), {}, ValueError, "equally many"),
        (np.zeros((3, 5)), np.zeros(3), {}, ValueError, "must fit the model"),
        (np.zeros((3, 6)), None, {}, ValueError, "must fit the model"),
        ([[0.0] * 6], [1], {}, TypeError, "must be arrays"),
        (iter([]), None, {}, TypeError, "must be arrays"),
        (
            np.zeros((3, 6)),
            np.zeros(3),
            {"batch_size": 0},
            ValueError,
            "batch_size",
        ),
        *(() if engine.JAX else bad_data_sets()),
    ],
)
def test_bad_data(x, y, arguments, error, match):
    with pytest.raises(error, match=match):
        Landscape(compiled(testing.dense_net()), x, y, **arguments)


def test_bad_models():
    x, y = testing.data()
    with pytest.raises(TypeError, match=r"must be a `keras.Model`"):
        Landscape(lambda x: x, x, y)
    with pytest.raises(ValueError, match="must be compiled"):
        Landscape(testing.dense_net(), x, y)


def test_losses_that_are_not_finite():
    x, y = testing.data()
    x[13] = np.inf
    with pytest.raises(FloatingPointError, match="index 0"):
        Landscape(compiled(testing.dense_net()), x, y)
    at = Landscape(compiled(testing.dense_net()), x, y, batch_size=5)
    with pytest.raises(FloatingPointError, match="loss must .* index 2"):
        at.loss(at.params)
    with pytest.raises(FloatingPointError, match="gradient must .* index 2"):
        keras_sam.landscape.sharpness(at)
    with pytest.raises(FloatingPointError, match="product must .* index 2"):
        at.hessian_vector_product(at.params, at.params)


@pytest.mark.parametrize(
    "name",
    [
        "ascent_plane",
        "average_sharpness",
        "eigenvalues",
        "filter_normalized",
        "line",
        "path",
        "plane",
        "sharpness",
        "spectral_density",
        "trace",
    ],
)
@pytest.mark.parametrize("kind", ["model", "callback", "nothing"])
def test_what_is_no_landscape(name, kind):
    x, y = testing.data()
    wrong = {
        "model": testing.dense_net(),
        "callback": keras_sam.callbacks.Landscape(x, y),
        "nothing": None,
    }[kind]
    with pytest.raises(
        TypeError,
        match=r"`landscape` must be .*`Landscape\(model, x, y\)`",
    ):
        getattr(keras_sam.landscape, name)(wrong)


def test_what_is_no_model_and_no_data():
    x, y = testing.data()
    with pytest.raises(TypeError, match=r"`model` must be .*Landscape\(model"):
        Landscape(x, y)
    at = Landscape(compiled(testing.dense_net()), x, y)
    for model in (at, at.model):
        with pytest.raises(TypeError, match=r"`x` must be the data .*Received"):
            keras_sam.callbacks.Landscape(model)


def test_a_direction_that_is_a_part():
    at = Landscape(compiled(testing.dense_net()), *testing.data())
    with pytest.raises(TypeError, match="must be lists .* Normalized"):
        keras_sam.landscape.line(at, keras_sam.directions.Normalized())


def test_a_loss_of_each_example():
    loss = keras.losses.SparseCategoricalCrossentropy(reduction=None)
    with pytest.raises(ValueError, match=r"as one number.* shape \(24,\)"):
        Landscape(compiled(testing.dense_net(), loss), *testing.data())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
