"""A model that prepares its own data: wrapped as alone, to the bit."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import landscape
from tests.support import engine
from tests.support import testing

pack = keras.utils.pack_x_y_sample_weight
unpack = keras.utils.unpack_x_y_sample_weight


class Batches(keras.utils.PyDataset):
    """Batches of arrays, in their order. On JAX it stands for `tf.data`."""

    def __init__(self, arrays, size, prepare=pack):
        super().__init__()
        self.arrays, self.size, self.prepare = arrays, size, prepare

    def __len__(self):
        return -(-len(keras.tree.flatten(self.arrays)[0]) // self.size)

    def __getitem__(self, index):
        rows = slice(index * self.size, (index + 1) * self.size)
        given = keras.tree.map_structure(lambda a: a[rows], self.arrays)
        prepared = self.prepare(*unpack(given))
        return prepared if isinstance(prepared, tuple) else (prepared,)


def batched(arrays, size):
    """Returns a data set of batches."""
    if engine.JAX:
        return Batches(arrays, size)
    return engine.tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def mapped(data, prepare):
    """Returns a data set whose batches are prepared."""
    if engine.JAX:
        return Batches(data.arrays, data.size, prepare)
    return data.map(prepare)


class Pipeline(keras.Model):
    """Prepares data by a method that its subclasses override, as in KerasHub.

    Its methods take the data as they come, and call `preprocess_samples` on
    batches of them.
    """

    def preprocess_samples(self, x, y=None, sample_weight=None):
        return pack(x, y, sample_weight)

    def prepared(self, x, y=None, sample_weight=None, batch_size=None):
        if not isinstance(x, Batches if engine.JAX else engine.tf.data.Dataset):
            x = batched(pack(x, y, sample_weight), batch_size or 32)
        return mapped(x, self.preprocess_samples)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        sample_weight=None,
        validation_data=None,
        validation_split=None,
        **kwargs,
    ):
        if validation_split:
            end = int(len(x) * (1 - validation_split))
            validation_data = (x[end:], y[end:])
            x, y = x[:end], y[:end]
        if validation_data is not None:
            validation_data = self.prepared(
                *unpack(validation_data),
                batch_size,
            )
        x = self.prepared(x, y, sample_weight, batch_size)
        return super().fit(x, validation_data=validation_data, **kwargs)

    def evaluate(
        self, x=None, y=None, batch_size=None, sample_weight=None, **kwargs
    ):
        if "_use_cached_eval_dataset" not in kwargs:
            x, y = self.prepared(x, y, sample_weight, batch_size), None
        return super().evaluate(x, y, **kwargs)

    def predict(self, x=None, batch_size=None, **kwargs):
        return super().predict(self.prepared(x, None, None, batch_size))

    def train_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        data = self.preprocess_samples(x, y, sample_weight)
        return super().train_on_batch(*unpack(data), **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        data = self.preprocess_samples(x, y, sample_weight)
        return super().test_on_batch(*unpack(data), **kwargs)

    def predict_on_batch(self, x, **kwargs):
        data = self.preprocess_samples(x)
        x, _, _ = unpack(data)
        return super().predict_on_batch(x, **kwargs)


class Scaled(Pipeline):
    """Classifies features that are stored in other units."""

    def __init__(self):
        super().__init__()
        self.logits = keras.layers.Dense(3)

    def call(self, inputs):
        return self.logits(inputs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        return pack(ops.cast(x, "float32") / 255, y, sample_weight)


class NextWord(Pipeline):
    """Predicts the next word of a sentence: its targets are in the inputs."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(7, 4)
        self.logits = keras.layers.Dense(7)

    def call(self, inputs):
        return self.logits(self.embedding(inputs))

    def preprocess_samples(self, x, y=None, sample_weight=None):
        tf = engine.tf
        words = tf.strings.split(x).to_tensor("", shape=[None, 5])
        ids = tf.strings.to_hash_bucket_fast(words, 7)
        known = tf.cast(words[:, 1:] != "", "float32")
        return pack(ids[:, :-1], ids[:, 1:], known)


X, Y = testing.data()
X = np.round(255 * X)
SENTENCES = [f"one {word} is here" for word in "abcdefghijkl"]
WEIGHTS = np.linspace(0.5, 2.0, 24)
FITS = {
    "arrays": {"x": X, "y": Y},
    "validation": {"x": X, "y": Y, "validation_data": (X[:9], Y[:9])},
    "split": {"x": X, "y": Y, "validation_split": 0.3},
    "class weight": {"x": X, "y": Y, "class_weight": {0: 1.0, 1: 3.0, 2: 0.5}},
    "sample weight": {"x": X, "y": Y, "sample_weight": WEIGHTS},
    "default size": {"x": X, "y": Y, "batch_size": None},
}


def unwrapped(model):
    return model


def as_plain(model):
    return keras_sam.SAM(model, ascent_steps=0)


def trained(make, wrap, **fit):
    return testing.train(make, wrap, fit=fit, metrics=None)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_fit(fit):
    testing.assert_same(
        trained(Scaled, unwrapped, **fit), trained(Scaled, as_plain, **fit)
    )


def test_data_sets():
    data = batched((X, Y), 8)
    fit = {"x": data, "y": None, "batch_size": None, "validation_data": data}
    plain = trained(Scaled, unwrapped, **fit)
    same = trained(Scaled, as_plain, **fit)
    testing.assert_same(plain, same)
    assert plain[0].evaluate(data, verbose=0) == same[0].evaluate(
        data, verbose=0
    )
    np.testing.assert_array_equal(
        plain[0].predict(data), same[0].predict(data, verbose=0)
    )


@testing.TENSORFLOW  # JAX has no strings.
@pytest.mark.parametrize("of", [list, np.array, ops.convert_to_tensor])
def test_targets_made_of_strings(of):
    fit = {"x": of(SENTENCES), "y": None}
    plain = trained(NextWord, unwrapped, **fit)
    same = trained(NextWord, as_plain, **fit)
    testing.assert_same(plain, same)
    np.testing.assert_array_equal(
        plain[0].predict(of(SENTENCES)),
        same[0].predict(of(SENTENCES), verbose=0),
    )


def test_single_batches():
    found = []
    for wrap in (unwrapped, as_plain):
        model, _ = trained(Scaled, wrap, x=X, y=Y)
        found.append(
            [
                model.train_on_batch(X, Y, WEIGHTS),
                model.train_on_batch(
                    X, Y, class_weight={0: 1.0, 1: 3.0, 2: 0.5}
                ),
                model.test_on_batch(X, Y),
                model.predict_on_batch(X),
                model.evaluate(X, Y, verbose=0),
            ]
        )
    for plain, same in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, same)


def test_several_replicas():
    found = []
    for wrap in (unwrapped, as_plain):
        with engine.two_devices():
            found.append(trained(Scaled, wrap, x=X, y=Y, epochs=1))
    testing.assert_same(*found)


def test_the_climb_is_on_prepared_data():
    """A hand-written climb, on data that are prepared beforehand."""
    # The backend divides, too: JAX rounds otherwise than NumPy.
    prepared = {"x": np.array(ops.cast(X, "float32") / 255), "y": Y}

    def head():
        return keras.Sequential([keras.layers.Dense(3)])

    climbing = [
        trained(make, lambda m: keras_sam.SAM(m, rho=0.5), **fit)
        for make, fit in ((head, prepared), (Scaled, {"x": X, "y": Y}))
    ]
    for a, b in zip(*(m.get_weights() for m, _ in climbing), strict=True):
        np.testing.assert_array_equal(a, b)


def test_landscapes_prepare_too():
    plain, _ = trained(Scaled, unwrapped, x=X, y=Y)
    expected = plain.evaluate(X, Y, verbose=0)
    sam = keras_sam.SAM(plain)
    sam.compile("sgd", testing.cross_entropy())
    data = batched((X, Y), 24)
    for model, given in (
        (plain, (X, Y)),
        (sam, (X, Y)),
        (sam, (list(X), list(Y))),
        (sam, (data,)),
    ):
        made = landscape.Landscape(model, *given)
        assert made.loss(made.params) == pytest.approx(expected, rel=1e-6)


class Helped(keras.Model):
    """Has a method of that name, which its `fit` does not call."""

    def __init__(self):
        super().__init__()
        self.logits = keras.layers.Dense(3)

    def call(self, inputs):
        return self.logits(inputs)

    def preprocess_samples(self, x, y=None, sample_weight=None):
        raise AssertionError


def test_a_method_of_that_name_that_fit_does_not_call():
    testing.assert_same(trained(Helped, unwrapped), trained(Helped, as_plain))
    sam, _ = trained(Helped, as_plain)
    assert not hasattr(sam, "preprocess_samples")
    made = landscape.Landscape(sam, X, Y)
    assert made.loss(made.params) == pytest.approx(
        sam.evaluate(X, Y, verbose=0), rel=1e-6
    )


class Busy(Scaled):
    def fit(self, *args, **kwargs):
        raise NotImplementedError


def test_what_else_fit_does_is_refused():
    with pytest.raises(ValueError, match="`model` must leave `fit` to Keras"):
        keras_sam.SAM(Busy())


@pytest.mark.parametrize(
    ("fit", "match"),
    [
        ({"x": (batch for batch in [(X, Y)])}, "axis of examples.*generator"),
        ({"x": "one sentence"}, "axis of examples.*str"),
        ({"x": X, "y": Y[:5]}, "axis of examples.*ndarray"),
        (
            {"x": batched((X, Y), 24), "y": Y},
            "`y` and `sample_weight` must be None if `x` is a data set",
        ),
        ({"x": X, "y": Y, "validation_split": 0.99}, "`validation_split` must"),
    ],
    ids=["generator", "no axis", "sizes", "twice", "split"],
)
def test_data_that_cannot_be_prepared(fit, match):
    sam = keras_sam.SAM(Scaled())
    sam.compile("sgd", testing.cross_entropy())
    with pytest.raises(ValueError, match=match):
        sam.fit(**fit, verbose=0)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
