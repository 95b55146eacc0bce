"""m-sharpness inside a replica: parts, shares, metrics, state."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import _types
from keras_sam._algorithm import splits
from tests.support import engine
from tests.support import testing


def pieces(size, parts, static=True):
    """Returns (examples, rows, share) of each part."""

    def split(x):
        batch = _types.Batch(x, {"y": x[:, 0]})
        return [
            (piece.y["y"], rows, share)
            for piece, rows, share in splits.split(batch, parts)
        ]

    x = ops.reshape(ops.arange(2 * size), (size, 2))
    if static:
        return split(x)
    tf = engine.tf
    dynamic = tf.TensorSpec((None, 2), tf.int32)
    return tf.function(split, input_signature=[dynamic])(x)


# On JAX all shapes are known.
STATIC = [True, pytest.param(False, marks=testing.TENSORFLOW)]


@pytest.mark.parametrize("static", STATIC)
@pytest.mark.parametrize(("size", "parts"), [(12, 4), (13, 4), (4, 4), (5, 1)])
def test_parts_are_the_batch(size, parts, static):
    found = pieces(size, parts, static)
    examples = np.concatenate([piece for piece, _, _ in found])
    np.testing.assert_array_equal(examples, 2 * np.arange(size))
    rows = [int(n) for _, n, _ in found]
    assert rows == [len(piece) for piece, _, _ in found]
    assert max(rows) - min(rows) <= 1
    shares = [float(share) for _, _, share in found]
    assert shares == [n / size for n in rows]


@pytest.mark.parametrize("static", STATIC)
def test_more_parts_than_examples(static):
    found = pieces(2, 5, static)
    assert all(len(piece) == 1 for piece, _, _ in found)
    counted = [int(piece[0]) for piece, rows, _ in found if int(rows)]
    assert counted == [0, 2]
    assert sum(float(share) for _, _, share in found) == 1.0


def test_other_than_tensors_of_examples():
    batch = _types.Batch(ops.ones((4, 2)), None, ops.ones(()))
    with pytest.raises(ValueError, match="`num_batch_splits` needs"):
        list(splits.split(batch, 2))


def logs(examples, parts, mode="graph", make=testing.dense_net, **arguments):
    """Returns the model after an epoch at learning rate 0, and its logs."""
    x, y = testing.data(examples)
    weight = np.linspace(0.5, 1.5, examples).astype("float32")
    return testing.train(
        make,
        lambda model: keras_sam.SAM(
            model, rho=0.1, num_batch_splits=parts, **arguments
        ),
        lambda: keras.optimizers.SGD(0.0),
        fit={"x": x, "y": y, "sample_weight": weight, "epochs": 1},
        weighted_metrics=["accuracy"],
        **testing.MODES[mode],
    )


@pytest.mark.parametrize(
    "mode",
    testing.thinned(testing.MODES, lambda i, mode: mode == engine.TRACED[0]),
)
def test_logs_are_those_of_the_whole_batch(mode):
    """20 examples in batches of 8 make a smaller last batch."""
    _, whole = logs(20, None, mode)
    # XLA compiles each number of parts anew, for seconds.
    for parts in (3,) if mode == "xla" else (1, 3, 8):
        _, found = logs(20, parts, mode)
        assert found.keys() == whole.keys()
        for name in whole:
            np.testing.assert_allclose(found[name], whole[name], rtol=1e-6)


def test_batches_smaller_than_the_parts():
    """With 17 examples the last batch is one example, for three parts."""
    model, found = logs(17, 3)
    _, whole = logs(17, None)
    np.testing.assert_allclose(found["loss"], whole["loss"], rtol=1e-6)
    np.testing.assert_array_equal(found["accuracy"], whole["accuracy"])
    assert all(np.isfinite(a).all() for a in model.get_weights())


def test_losses_by_output():
    def make():
        inputs = keras.Input((6,))
        outputs = {
            name: keras.layers.Dense(1, name=name)(inputs) for name in "ab"
        }
        return keras.Model(inputs, outputs)

    def history(parts):
        # Keras weighs the losses of batches by sizes that it knows or does not.
        x, _ = testing.data(24)
        y = {"a": x[:, :1], "b": x[:, 1:2]}
        return testing.train(
            make,
            lambda model: keras_sam.SAM(model, num_batch_splits=parts),
            lambda: keras.optimizers.SGD(0.0),
            fit={"x": x, "y": y},
            loss={"a": "mse", "b": "mae"},
            metrics=None,
        )[1]

    whole, split = history(None), history(4)
    assert set(whole) == {"loss", "a_loss", "b_loss"} == set(split)
    for name in whole:
        np.testing.assert_allclose(
            split[name], whole[name], rtol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("mode", testing.MODES)
def test_state_is_the_mean_over_parts_and_seeds_advance_once(mode):
    """Each part normalizes by its own statistics, as a replica does."""

    def make():
        inputs = keras.Input((6,))
        x = keras.layers.BatchNormalization(momentum=0.5)(inputs)
        x = keras.layers.Dropout(0.5, seed=1)(x)
        return keras.Model(inputs, keras.layers.Dense(3)(x))

    model, _ = logs(8, 2, mode, make)
    x, _ = testing.data(8)
    state = {v.path.split("/")[-1]: v.numpy() for v in model.model.variables}
    means = [part.mean(axis=0) for part in (x[:4], x[4:])]
    variances = [part.var(axis=0) for part in (x[:4], x[4:])]
    np.testing.assert_allclose(
        state["moving_mean"], 0.5 * np.mean(means, axis=0), atol=1e-6
    )
    np.testing.assert_allclose(
        state["moving_variance"],
        0.5 + 0.5 * np.mean(variances, axis=0),
        atol=1e-6,
    )
    np.testing.assert_array_equal(state["seed_generator_state"], [1, 1])


def test_masks_are_kept():
    """A weighted metric counts a masked output less."""

    def make():
        inputs = keras.Input((4,), dtype="int32")
        x = keras.layers.Embedding(5, 4, mask_zero=True)(inputs)
        return keras.Model(
            inputs, keras.layers.LSTM(1, return_sequences=True)(x)
        )

    def history(parts):
        random = np.random.RandomState(0)
        return testing.train(
            make,
            lambda model: keras_sam.SAM(model, num_batch_splits=parts),
            lambda: keras.optimizers.SGD(0.0),
            fit={
                "x": random.randint(0, 5, (20, 4)),
                "y": random.normal(size=(20, 4, 1)),
                "sample_weight": np.ones((20, 4)),
                "epochs": 1,
            },
            loss="mse",
            metrics=None,
            weighted_metrics=["mae"],
        )[1]["mae"]

    np.testing.assert_allclose(history(3), history(None), rtol=1e-6)


def test_an_empty_batch():
    batch = _types.Batch(ops.zeros((0, 2)))
    assert [float(s) for _, _, s in splits.split(batch, 2)] == [0.0, 0.0]


def test_what_cannot_be_split():
    """The error has shapes, not values."""
    batch = _types.Batch((ops.ones((4, 2)), ops.ones((3, 2))))
    with pytest.raises(ValueError, match="`num_batch_splits` needs") as caught:
        list(splits.split(batch, 2))
    assert "'(4, 2) float32', '(3, 2) float32'" in str(caught.value)
    assert "[[" not in str(caught.value)


def test_outputs_that_cannot_be_split():
    inputs = keras.Input((6,))
    outputs = keras.layers.Lambda(keras.ops.mean, output_shape=())(inputs)
    net = keras.Model(inputs, [keras.layers.Dense(1)(inputs), outputs])
    sam = keras_sam.SAM(net, num_batch_splits=2)
    sam.compile("sgd", ["mse", None], run_eagerly=True)
    with pytest.raises(ValueError, match="needs outputs with a batch axis"):
        sam.train_on_batch(testing.data()[0], [np.ones((24, 1)), None])


# The mean over parts is the loss of the batch, whatever it divides by.

WORDS = np.array([[1, 2, 3, 4], [2, 1, 4, 0], [3, 0, 0, 0], [1, 0, 0, 0]] * 2)
LABELS = np.random.RandomState(0).randint(-1, 3, (8, 4))


def tagger():
    """A label for each word, and one for each sentence."""
    inputs = keras.Input((4,), dtype="int32")
    x = keras.layers.Embedding(5, 3, mask_zero=True)(inputs)
    words = keras.layers.Dense(3, kernel_regularizer="l2", name="words")(x)
    pooled = keras.layers.GlobalAveragePooling1D()(x)
    sentence = keras.layers.Dense(
        3, activity_regularizer="l1", name="sentence"
    )(pooled)
    return keras.Model(inputs, {"words": words, "sentence": sentence})


REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight")


@pytest.mark.parametrize(
    ("words", "sentence", "weighted", "mode"),
    [
        (REDUCTIONS[0], REDUCTIONS[0], False, "graph"),
        *((words, words, True, "eager") for words in REDUCTIONS),
        (REDUCTIONS[0], REDUCTIONS[1], True, "eager"),
        (REDUCTIONS[1], REDUCTIONS[2], False, "eager"),
    ],
)
def test_without_a_climb_it_is_keras(words, sentence, weighted, mode):
    def trained(wrap):
        random = np.random.RandomState(1)
        return testing.train(
            tagger,
            wrap,
            lambda: keras.optimizers.SGD(1.0),
            fit={
                "x": WORDS,
                "y": {"words": LABELS, "sentence": LABELS.max(1).clip(0)},
                "sample_weight": {
                    "words": random.uniform(size=(8, 4)),
                    "sentence": random.uniform(size=8),
                }
                if weighted
                else None,
                "epochs": 1,
            },
            loss={
                "words": keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, ignore_class=-1, reduction=words
                ),
                "sentence": keras.losses.SparseCategoricalCrossentropy(
                    from_logits=True, reduction=sentence
                ),
            },
            loss_weights={"words": 0.3, "sentence": 2.0},
            metrics=None,
            **testing.MODES[mode],
        )

    plain = trained(lambda model: model)
    for parts in (9,) if words == "sum" else (3,):
        split = trained(
            lambda model, parts=parts: keras_sam.SAM(
                model, rho=0.0, num_batch_splits=parts
            )
        )
        for one, two in zip(
            split[0].model.get_weights(), plain[0].get_weights(), strict=True
        ):
            np.testing.assert_allclose(one, two, atol=2e-6)
        assert set(split[1]) == set(plain[1])
        for name, values in plain[1].items():
            np.testing.assert_allclose(split[1][name], values, rtol=2e-6)


def squares(y, y_pred):
    return keras.ops.mean((y - y_pred) ** 2)


@pytest.mark.parametrize(
    ("loss", "received"),
    [
        (squares, "'squares'.*returns a scalar"),
        (keras.losses.Dice(), "'dice'.*returns a scalar"),
        (
            keras.losses.MeanSquaredError(reduction=None),
            "the loss of a batch as one number",
        ),
    ],
    ids=["mean", "dice", "none"],
)
def test_losses_that_are_no_mean_over_parts(loss, received):
    net = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    sam = keras_sam.SAM(net, num_batch_splits=2)
    sam.compile("sgd", loss, run_eagerly=True)
    before = sam.get_weights()
    with pytest.raises(
        ValueError, match=f"`num_batch_splits` needs.*{received}"
    ):
        sam.train_on_batch(np.ones((4, 6)), np.ones((4, 2)))
    for one, two in zip(sam.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
