"""Integers that a layer leaves trainable are not trained, as in Keras."""

import sys

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import landscape
from tests.support import testing

pytestmark = testing.TENSORFLOW  # On JAX Keras trains floats alone.


class Counting(keras.layers.Layer):
    """Has a weight of another dtype, made as `add_weight` makes it."""

    def __init__(self, kind, counts):
        super().__init__()
        self._kind, self._counts = kind, counts

    def build(self, input_shape):
        self.count = self.add_weight(
            shape=(2,), dtype=self._kind, initializer="ones", name="count"
        )
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, inputs):
        if self._counts:
            self.count.assign(self.count + keras.ops.ones(2, self._kind))
        total = keras.ops.sum(keras.ops.cast(self.count, inputs.dtype))
        return inputs * self.scale + total


def net(kind="int32", counts=False):
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4),
            Counting(kind, counts),
            keras.layers.Dense(3),
        ]
    )


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize(
    ("kind", "counts"),
    [("int32", False), ("int64", True), ("uint8", True), ("bool", False)],
)
@pytest.mark.parametrize("wrapping", ["without climb", "remembering"])
def test_trains_past_it(kind, counts, run_eagerly, wrapping):
    plain = wrapping == "without climb"
    arguments = (
        {"ascent_steps": 0}
        if plain
        else {"direction": keras_sam.directions.Friendly()}
    )

    def trained(wrap):
        with pytest.warns(UserWarning, match="Gradients do not exist .*count"):
            return testing.train(
                lambda: net(kind, counts),
                wrap,
                "adam",
                fit={"epochs": 1},
                run_eagerly=run_eagerly,
            )

    first = trained(lambda model: model)
    second = trained(lambda model: keras_sam.SAM(model, **arguments))
    if plain:
        testing.assert_same(first, second)
    np.testing.assert_array_equal(
        first[0].layers[1].count.numpy(),
        second[0].model.layers[1].count.numpy(),
    )


def test_several_replicas():
    with testing.two_replicas().scope():
        sam = keras_sam.SAM(net(counts=True))
        sam.compile("adam", testing.cross_entropy())
    sam.fit(*testing.data(), batch_size=8, verbose=0)
    np.testing.assert_array_equal(sam.model.layers[1].count.numpy(), [4, 4])


def test_it_does_not_move_and_is_no_weight_of_a_landscape():
    sam = keras_sam.SAM(net())
    assert not [v for v in sam.perturbed_variables if v.path.endswith("/count")]
    assert "44 of 44 trained weights" in sam.describe()
    sam.compile("sgd", testing.cross_entropy())
    at = landscape.Landscape(sam, *testing.data())
    assert len(at.params) == 5
    assert np.isfinite(landscape.eigenvalues(at).values).all()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
