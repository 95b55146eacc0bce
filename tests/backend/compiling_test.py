"""XLA compiles what Keras would compile, and says what it cannot.

No test has a GPU: a device in the lists of TensorFlow stands in for one.
"""

import contextlib
import sys
import types

import keras
import pytest
import tensorflow as tf

import keras_sam
from keras_sam import landscape
from keras_sam._backend import compiling
from tests.support import testing

GPU = types.SimpleNamespace(device_type="GPU")
STRATEGIES = {
    "none": contextlib.nullcontext,
    "two replicas": lambda: testing.two_replicas().scope(),
    "one device": lambda: tf.distribute.OneDeviceStrategy("CPU:0").scope(),
}


@pytest.fixture
def gpu(monkeypatch):
    """Makes TensorFlow list a GPU."""
    for name in ("list_logical_devices", "list_physical_devices"):
        devices = [*getattr(tf.config, name)(), GPU]
        monkeypatch.setattr(tf.config, name, lambda *of, d=devices: d)


class Uncompiled(keras.layers.Layer):
    """As Keras's lookups of strings, or its LSTM with cuDNN."""

    def __init__(self):
        super().__init__(name="lookup")
        self.supports_jit = False

    def call(self, inputs):
        return inputs


def uncompiled_net():
    return keras.Sequential(
        [keras.Input((6,)), Uncompiled(), keras.layers.Dense(3)]
    )


def wrapped(strategy, xla="auto", make=testing.dense_net, **compiling):
    with STRATEGIES[strategy]():
        sam = keras_sam.SAM(make(), xla=xla)
    sam.compile("sgd", testing.cross_entropy(), **compiling)
    return sam


def compiles(sam):
    """Whether the evaluations are compiled; checks `describe()`, too."""
    with sam.distribute_strategy.scope():
        found = compiling.compiles(sam.xla, sam)
        alone = sam.distribute_strategy.num_replicas_in_sync == 1
    words = "it compiles the evaluations" if found else "it does not compile"
    if sam.jit_compile and alone:
        words = "it compiles the whole train step"
    assert f"XLA: {words}" in sam.describe()
    return bool(found)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_gpu(gpu, strategy):
    assert compiles(wrapped(strategy))
    assert compiles(wrapped(strategy, jit_compile=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_gpu(strategy):
    assert not compiles(wrapped(strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_user_does_not_want_it(gpu, strategy):
    assert not compiles(wrapped(strategy, jit_compile=False))
    assert not compiles(wrapped(strategy, False))
    assert not compiles(wrapped(strategy, run_eagerly=True))
    assert not compiles(wrapped(strategy, True, run_eagerly=True))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_layers_that_do_not_support_it(gpu, strategy):
    assert not compiles(wrapped(strategy, make=uncompiled_net))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_deterministic_operations(gpu, strategy, monkeypatch):
    """Keras asks TensorFlow, which has no way back from determinism."""
    trainer = sys.modules[keras.Model.compile.__module__]
    monkeypatch.setattr(trainer, "model_supports_jit", lambda model: False)
    assert not compiles(wrapped(strategy))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_true_compiles_wherever_it_can(strategy):
    assert compiles(wrapped(strategy, True))
    assert compiles(wrapped(strategy, True, jit_compile=False))


def test_jit_compile_means_the_evaluations_on_several_replicas():
    assert compiles(wrapped("two replicas", jit_compile=True))
    assert not compiles(wrapped("two replicas", False, jit_compile=True))


def test_the_file_leaves_the_decision_open(gpu, tmp_path):
    """Keras would write False, which then counts as the user's."""
    sam = wrapped("two replicas")
    sam.save(tmp_path / "sam.keras")
    with STRATEGIES["two replicas"]():
        again = keras.saving.load_model(tmp_path / "sam.keras")
    assert compiles(again)
    sam = wrapped("two replicas", jit_compile=False)
    sam.save(tmp_path / "sam.keras")
    with STRATEGIES["two replicas"]():
        again = keras.saving.load_model(tmp_path / "sam.keras")
    assert not compiles(again)


def test_true_with_a_layer_that_cannot_names_it():
    sam = wrapped("none", True, make=uncompiled_net)
    match = r"`xla=True` needs .* `xla=\"auto\"`.*'lookup' \(a Uncompiled"
    with pytest.raises(ValueError, match=match):
        sam.train_on_batch(*testing.data())
    assert "XLA: no train step. `xla=True` needs" in sam.describe()
    plain = uncompiled_net()
    plain.compile("sgd", testing.cross_entropy())
    with pytest.raises(ValueError, match=match):
        landscape.Landscape(plain, *testing.data(), xla=True)


def test_a_tpu_strategy_compiles_by_itself(monkeypatch):
    """A stand-in: only the type of the strategy is looked at."""
    sam = wrapped("none", True)
    stand_in = object.__new__(tf.distribute.TPUStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: stand_in)
    assert compiling.by_strategy()
    assert not compiling.compiles(True, sam)
    assert not compiling.compiles("auto", sam)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
