"""The loss of each example, from that of the batch."""

import functools
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import _types
from keras_sam import samples
from keras_sam._evaluation import example_losses
from tests.support import engine
from tests.support import testing


def of_examples(model, x, y, sample_weight=None):
    return example_losses.of_examples(
        model, model(x), _types.Batch(x, y, sample_weight)
    )


def sequences(examples, steps=6):
    """A model of sequences, inputs and targets; the first has large ones."""
    random = np.random.RandomState(0)
    x = random.normal(size=(examples, steps, 3)).astype("float32")
    x[0] *= 10
    model = keras.Sequential([keras.Input((steps, 3)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model, x, random.normal(size=(examples, steps, 2))


# As many steps as examples: Keras would weight the steps.
@pytest.mark.parametrize("examples", [4, 6])
def test_of_sequences_they_are_summed_over_steps(examples):
    model, x, y = sequences(examples)
    by_step = np.mean((y - model(x)) ** 2, axis=2)
    np.testing.assert_allclose(
        of_examples(model, x, y), by_step.mean(axis=1), rtol=1e-4
    )


def test_weights_of_steps_count():
    model, x, y = sequences(6)
    weights = np.random.RandomState(1).uniform(size=(6, 6))
    by_step = weights * np.mean((y - model(x)) ** 2, axis=2)
    np.testing.assert_allclose(
        of_examples(model, x, y, ops.convert_to_tensor(weights)),
        by_step.mean(axis=1),
        rtol=1e-4,
    )


@pytest.mark.parametrize("names", [True, False])
def test_outputs_with_weights_and_without(names):
    inputs = keras.Input((3,))
    a = keras.layers.Dense(2, name="a")(inputs)
    b = keras.layers.Dense(1, name="b")(inputs)
    model = keras.Model(inputs, {"a": a, "b": b} if names else [a, b])
    model.compile("sgd", {"a": "mse", "b": "mae"} if names else ["mse", "mae"])
    random = np.random.RandomState(0)
    x, u, v = (random.normal(size=(5, n)).astype("float32") for n in (3, 2, 1))
    weight = random.uniform(size=5).astype("float32")
    outputs = model(x)
    first, second = outputs.values() if names else outputs
    expected = weight * np.mean((u - first) ** 2, axis=1)
    expected += np.mean(np.abs(v - second), axis=1)
    if names:
        found = of_examples(
            model, x, {"a": u, "b": v}, {"a": weight, "b": None}
        )
    else:
        found = of_examples(model, x, [u, v], [weight, np.ones(5, "float32")])
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def images():
    """A model with images as outputs, inputs and targets."""
    random = np.random.RandomState(0)
    model = keras.Sequential(
        [keras.Input((2, 3, 2)), keras.layers.Dense(2, "sigmoid")]
    )
    x, y = (random.uniform(size=(4, 2, 3, 2)).astype("f") for _ in range(2))
    return model, x, y, np.array(model(x))


def squares_by_image(y, y_pred):
    return ops.mean((y - y_pred) ** 2, axis=(1, 2, 3))


def by_image(y, y_pred):
    return np.mean((y - y_pred) ** 2, axis=(1, 2, 3))


def dice_by_image(y, y_pred):
    both = np.sum(y * y_pred, axis=(1, 2, 3))
    return 1 - 2 * both / np.sum(y + y_pred, axis=(1, 2, 3))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (squares_by_image, by_image),
        (keras.losses.MeanSquaredError(), by_image),
        (keras.losses.Dice(axis=(1, 2, 3)), dice_by_image),
        # The mean over examples is the sum over them.
        (
            keras.losses.Dice(axis=(-3, -2, -1), reduction="sum"),
            lambda y, y_pred: 4 * dice_by_image(y, y_pred),
        ),
        (keras.losses.MeanSquaredError(dtype="float16"), by_image),
    ],
)
@pytest.mark.parametrize("traced", [False, True])
def test_values_of_any_rank(loss, expected, traced):
    model, x, y, y_pred = images()
    model.compile("sgd", loss)
    found = functools.partial(of_examples, model, x, y)
    np.testing.assert_allclose(
        (engine.compiled(found, engine.TRACED[0]) if traced else found)(),
        expected(y, y_pred),
        rtol=2e-2 if getattr(loss, "dtype", "") == "float16" else 1e-4,
    )


def test_outputs_whose_losses_have_different_ranks():
    inputs = keras.Input((2, 3, 2))
    first = keras.layers.Dense(2, "sigmoid", name="first")(inputs)
    second = keras.layers.Dense(1, name="second")(
        keras.layers.Flatten()(inputs)
    )
    model = keras.Model(inputs, {"first": first, "second": second})
    model.compile(
        "sgd",
        {"first": keras.losses.Dice(axis=(1, 2, 3)), "second": "mse"},
        loss_weights={"first": 3.0, "second": 0.5},
    )
    _, x, y, _ = images()
    z = np.arange(4, dtype="f")[:, None]
    weight = np.linspace(0.5, 2, 4).astype("f")
    outputs = {name: np.array(t) for name, t in model(x).items()}
    expected = 3 * dice_by_image(y, outputs["first"])
    expected += 0.5 * np.mean((z - outputs["second"]) ** 2, axis=1)
    np.testing.assert_allclose(
        of_examples(
            model,
            x,
            {"first": y, "second": z},
            {"first": weight, "second": weight},
        ),
        weight * expected,
        rtol=1e-4,
    )


def test_a_train_step_of_several_outputs():
    """All examples, chosen by their losses, are the batch."""

    def trained(**arguments):
        inputs = keras.Input((6,))
        outputs = {n: keras.layers.Dense(1, name=n)(inputs) for n in "ab"}
        x, _ = testing.data()
        return testing.train(
            lambda: keras.Model(inputs, outputs),
            lambda net: keras_sam.SAM(net, **arguments),
            fit={"x": x, "y": {"a": x[:, :1], "b": x[:, 1:2]}},
            loss={"a": "mse", "b": "mae"},
            metrics=None,
        )

    keras.utils.set_random_seed(1)
    model, history = trained(ascent_samples=samples.Largest(1.0))
    keras.utils.set_random_seed(1)
    plain, expected = trained()
    for a, b in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)  # In another order.
    assert set(history) == {"loss", "a_loss", "b_loss"}
    for name, losses in history.items():
        np.testing.assert_allclose(losses, expected[name], rtol=1e-5)


def test_masks_and_the_sum_of_sample_weights_divide():
    """Of three words, one is masked in one example."""
    tokens, y = np.array([[1, 2, 3], [4, 1, 0]]), np.ones((2, 3, 1), "f")
    weights = np.array([[1, 2, 3], [4, 5, 6]], "f")
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Embedding(5, 1, mask_zero=True)]
    )
    values = weights * (tokens > 0) * (model(tokens)[..., 0] - 1) ** 2
    for reduction, divisor in (
        ("sum", 1),
        ("sum_over_batch_size", 5),
        ("mean_with_sample_weight", 15),
    ):
        model.compile("sgd", keras.losses.MeanSquaredError(reduction=reduction))
        np.testing.assert_allclose(
            of_examples(model, tokens, y, weights),
            2 * np.sum(values, axis=1) / divisor,
            rtol=1e-6,
        )


@testing.TENSORFLOW
def test_ragged_targets():
    y = engine.tf.ragged.constant([[1.0, 2.0], [3.0], [0.0, 1.0, 2.0]])
    model = keras.Sequential([keras.layers.Identity()])
    model.compile("sgd", "mse")
    found = of_examples(model, 2 * y, y)
    np.testing.assert_allclose(found, [5 / 2, 9, 5 / 3], rtol=1e-6)


def mean_squares(y, y_pred):
    return ops.mean((y - y_pred) ** 2)


class Called(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return ops.mean(y_true - y_pred)


@pytest.mark.parametrize(
    ("loss", "match"),
    [
        (mean_squares, "'mean_squares'.*returns a scalar"),
        (keras.losses.Dice(), "'dice'.*returns a scalar"),
        ("dice", "'dice'.*returns a scalar"),
        (keras.losses.Dice(axis=0), r"'dice'.*of shape \(2, 3, 2\)"),
        (keras.losses.Circle(), "'circle'.*compares examples"),
        (Called(name="own"), "'own'.*redefines `__call__`"),
    ],
)
def test_losses_without_an_axis_of_examples(loss, match):
    model, x, y, _ = images()
    model.compile("sgd", loss)
    if isinstance(loss, keras.losses.Circle):
        # It needs one vector, and one label, for each example.
        model.add(keras.layers.Flatten())
        y = np.arange(4)
    with pytest.raises(ValueError, match=f"choice of samples needs.*{match}"):
        of_examples(model, x, y)


# Overrides of `compute_loss`.


def overriding(compute):
    """Returns a model whose loss is `compute(compiled, y, y_pred, weights)`."""

    class Own(keras.Sequential):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            def compiled():
                return super(Own, self).compute_loss(
                    x, y, y_pred, sample_weight
                )

            return compute(compiled, y, y_pred, sample_weight)

    model = Own([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    random = np.random.RandomState(0)
    x, y = (random.normal(size=(5, n)).astype("f") for n in (3, 2))
    return model, x, y


def weighted(compiled, y, y_pred, sample_weight):
    values = ops.mean((y - y_pred) ** 2, axis=1)
    return ops.mean(values * sample_weight)


@pytest.mark.parametrize(
    "compute", [lambda compiled, *_: 3.0 * compiled(), weighted]
)
def test_overrides(compute):
    model, x, y = overriding(compute)
    weight = np.linspace(1, 2, 5).astype("f")
    expected = weight * np.mean((y - model(x)) ** 2, axis=1)
    np.testing.assert_allclose(
        of_examples(model, x, y, weight),
        expected if compute is weighted else 3 * expected,
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("compute", "match"),
    [
        (lambda c, y, y_pred, w: mean_squares(y, y_pred), "uses neither"),
        (
            lambda c, y, y_pred, w: c() + ops.mean(y_pred**2),
            "adds other terms",
        ),
    ],
)
def test_overrides_without_losses_of_the_examples(compute, match):
    model, x, y = overriding(compute)
    with pytest.raises(ValueError, match=f"choice of samples.*{match}"):
        of_examples(model, x, y)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
