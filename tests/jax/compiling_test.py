"""XLA compiles the whole train step on JAX, or nothing, as Keras decides."""

import sys

import keras
import numpy as np
import pytest

from tests.support import engine
from tests.support import testing

import keras_sam  # isort: skip

if not engine.JAX:
    pytest.skip("These tests need JAX", allow_module_level=True)


class Counting(keras.layers.Layer):
    """Notes each call in Python: a trace, or a step that is not compiled."""

    def __init__(self, jits=True):
        super().__init__(name="counting")
        self.supports_jit = jits
        self.calls = []

    def call(self, inputs):
        self.calls.append(inputs)
        return inputs


def wrapped(layer, xla="auto", **compiling):
    net = keras.Sequential([testing.dense_net(), layer])
    sam = keras_sam.SAM(net, ascent_steps=2, xla=xla)
    sam.compile("sgd", testing.cross_entropy(), **compiling)
    return sam


def calls(sam, layer):
    """Returns how often the third train step calls a layer in Python."""
    for _ in range(2):
        sam.train_on_batch(*testing.data(8))
    layer.calls.clear()
    sam.train_on_batch(*testing.data(8))
    return len(layer.calls)


@pytest.mark.parametrize(
    ("compiling", "xla", "expected", "words"),
    [
        ({}, "auto", 0, "the whole train step (`jit_compile=True`)"),
        ({"jit_compile": True}, True, 0, "the whole train step"),
        ({"jit_compile": False}, "auto", 3, "nothing (`jit_compile=False`)"),
        ({"jit_compile": False}, False, 3, "nothing"),
        ({"run_eagerly": True}, "auto", 3, "nothing (`run_eagerly=True`)"),
        ({"run_eagerly": True}, True, 3, "nothing"),
        ({"run_eagerly": True}, False, 3, "nothing"),
    ],
)
def test_a_step_is_compiled_as_a_whole_or_not(compiling, xla, expected, words):
    layer = Counting()
    sam = wrapped(layer, xla, **compiling)
    assert calls(sam, layer) == expected
    assert f"XLA: it compiles {words}" in sam.describe()


def test_a_layer_that_xla_cannot_compile():
    """Keras then compiles nothing, and `xla=True` is an error."""
    layer = Counting(jits=False)
    sam = wrapped(layer)
    assert calls(sam, layer) == 3
    assert "XLA: it compiles nothing (`jit_compile=False`)" in sam.describe()
    sam = wrapped(Counting(jits=False), True)
    match = "`xla=True` needs layers .*'counting' \\(a Counting\\)"
    with pytest.raises(ValueError, match=match):
        sam.train_on_batch(*testing.data(8))
    assert "XLA: no train step. `xla=True` needs layers" in sam.describe()


@pytest.mark.parametrize("xla", [True, False])
def test_keras_decides_otherwise(xla):
    sam = wrapped(Counting(), xla, jit_compile=not xla)
    match = rf"`xla={xla}` needs `compile\(..., jit_compile={xla}\)`"
    with pytest.raises(ValueError, match=match):
        sam.train_on_batch(*testing.data(8))
    assert f"XLA: no train step. `xla={xla}` needs" in sam.describe()


def test_all_ways_train_the_same():
    """Of a network without dropout; XLA fuses what rounds."""
    runs = [
        testing.train(
            testing.dense_net,
            lambda net: keras_sam.SAM(net, rho=0.1, ascent_steps=2),
            **{"jit_compile": True, **compiling},
        )[0].get_weights()
        for compiling in (
            {},
            {"jit_compile": False},
            {"run_eagerly": True},
            {"steps_per_execution": 2},
            {"jit_compile": False, "steps_per_execution": 2},
        )
    ]
    for run in runs[1:]:
        for a, b in zip(runs[0], run, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
