"""What Keras's loops call and read."""

import sys

import keras
import pytest

from keras_sam import _keras_internals
from tests.keras_internals import compiling
from tests.support import testing


def test_validates():
    seen = []

    class Own(keras.Sequential):
        def evaluate(self, *args, **kwargs):
            seen.append(_keras_internals.validates(kwargs))
            return super().evaluate(*args, **kwargs)

    model = compiling.compiled(net=Own([keras.layers.Dense(3)]))
    x, y = testing.data()
    model.fit(x, y, validation_data=(x, y), verbose=0)
    model.evaluate(x, y, verbose=0)
    assert seen == [True, False]


@pytest.mark.parametrize(("first", "epochs"), [(2, [2]), (None, [0, 1, 2])])
def test_set_first_epoch(first, epochs):
    begun = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: _keras_internals.set_first_epoch(
            model, first
        ),
        on_epoch_begin=lambda epoch, logs: begun.append(epoch),
    )
    model = compiling.compiled(run_eagerly=True)
    x, y = testing.data(8)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[callback])
    assert begun == epochs


def test_fit_hooks():
    calls, checked = [], []

    class Hooked(_keras_internals.FitHooks):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            calls.append("call")
            return self.dense(x)

        def check_compiled(self, method_name=None):
            checked.append(method_name)
            super().check_compiled(method_name)

        def build_before_loop(self, iterator=None, data_batch=None):
            assert (iterator is None) != (data_batch is None)
            calls.append("build")
            super().build_before_loop(iterator, data_batch)

        def epoch_logs(self, logs):
            calls.append("logs")
            return {**super().epoch_logs(logs), "own": 1.0}

    model = compiling.compiled(net=Hooked(), run_eagerly=True)
    x, y = testing.data(8)
    history = model.fit(x, y, verbose=0).history
    assert [calls[0], calls[-1]] == ["build", "logs"]
    assert calls.count("build") == calls.count("logs") == 1
    assert history["own"] == [1.0] and len(history["loss"]) == 1
    calls.clear()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["own"] == 1.0
    assert calls == ["build", "call", "logs"]
    calls.clear()
    model.train_on_batch(x, y)
    assert calls == ["build", "call"]
    assert checked == ["fit", "evaluate", "train_on_batch"]
    with pytest.raises(ValueError, match="compile"):
        Hooked().fit(x, y)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
