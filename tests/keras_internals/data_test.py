"""The data that Keras's loops read, from the iterator that `fit` makes."""

import sys

import keras
import numpy as np
import pytest

from keras_sam import _keras_internals
from tests.keras_internals import compiling
from tests.support import engine
from tests.support import testing


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
        super().build_before_loop(iterator, data_batch)

    def seen(self, iterator):
        pass


@testing.TENSORFLOW
def test_data_of_epoch():
    dataset = engine.tf.data.Dataset.from_tensors(testing.data(8))
    model = compiling.compiled(net=Seen())
    model.fit(dataset, verbose=0)
    data = _keras_internals.data_of_epoch(model.iterators[0])
    assert data.element_spec == dataset.element_spec


def test_data_adapter():
    x, _ = testing.data(10)
    model = compiling.compiled()
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

    batches = (batch for batch in [testing.data(8)])
    compiling.compiled(net=Expecting()).fit(
        batches, steps_per_epoch=2, verbose=0
    )
    assert any("ran out" in str(w.message) for w in recwarn) != expected


def test_holds_dataset():
    def adapter(*data):
        model = compiling.compiled(net=Seen())
        model.fit(*data, verbose=0)
        return model.iterators[0].data_adapter

    data = testing.data(8)
    if not engine.JAX:
        dataset = engine.tf.data.Dataset.from_tensors(data)
        assert _keras_internals.holds_dataset(adapter(dataset))
    assert not _keras_internals.holds_dataset(adapter(*data))
    generator = (batch for batch in [data])
    assert not _keras_internals.holds_dataset(adapter(generator))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
