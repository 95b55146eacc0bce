"""Which variables a choice has, by their paths and by their layers."""

import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_sam
from keras_sam import landscape
from keras_sam import selections
from tests.support import testing


class LlamaLayerNorm(layers.Layer):
    """A normalization layer of no class of Keras, with a name of its own."""

    def build(self, shape):
        self.strength = self.add_weight(shape=shape[-1:], name="strength")

    def call(self, x):
        return x * self.strength


class Inner(layers.Layer):
    """A layer with a normalization layer, and a weight of its own."""

    def __init__(self):
        super().__init__(name="norm")
        self.norm = layers.LayerNormalization(name="kernel")

    def build(self, shape):
        self.gamma = self.add_weight(shape=(), name="gamma")
        self.norm.build(shape)

    def call(self, x):
        return self.norm(x) * self.gamma


def net():
    """Returns a network whose names are misleading."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, name="beta_head"),
            layers.BatchNormalization(name="a"),
            layers.GroupNormalization(2, name="b"),
            layers.RMSNormalization(name="c"),
            layers.UnitNormalization(),
            LlamaLayerNorm(name="d"),
            layers.SpectralNormalization(layers.Dense(8, name="gamma")),
            Inner(),
            layers.Dense(3, name="normalization"),
        ]
    )


NORMALIZATION = [
    *("a/gamma", "a/beta", "b/gamma", "b/beta", "c/scale", "d/strength"),
    *("norm/kernel/gamma", "norm/kernel/beta"),
]


def chosen(perturb, model=None):
    """Returns the paths of the variables that move, below the model."""
    sam = keras_sam.SAM(model or net(), perturb=perturb)
    prefix = f"{sam.model.name}/"
    return [v.path.partition(prefix)[2] for v in sam.perturbed_variables]


def test_normalization_is_what_the_layer_is():
    assert chosen(selections.Normalization()) == NORMALIZATION


def test_the_recipe_moves_normalization_layers():
    recipe = keras_sam.recipes.RECIPES["sam_on"].arguments
    assert chosen(recipe["perturb"]) == NORMALIZATION


def test_a_predicate_gets_the_innermost_layer():
    def dense(variable, layer):
        assert any(v is variable for v in layer.variables)
        return type(layer) is layers.Dense

    found = [path.split("/")[-2] for path in chosen(dense)]
    assert found == [
        name
        for name in ("beta_head", "gamma", "normalization")
        for _ in ("kernel", "bias")
    ]


def test_a_name_that_is_bound_is_not_asked_for():
    model = net()
    head = model.layers[0]

    def first(variable, layer=head):
        return any(v is variable for v in layer.variables)

    found = chosen(first, model)
    assert found == ["beta_head/kernel", "beta_head/bias"]


class Twice(keras.Model):
    """A layer that is an attribute, and in another layer, too."""

    def __init__(self, first):
        super().__init__()
        inner = layers.Dense(8)
        if first:
            self.dense = inner
        self.spectral = layers.SpectralNormalization(inner)
        self.dense = inner
        self.norm = layers.LayerNormalization()

    def call(self, x):
        return self.norm(self.spectral(x))


@pytest.mark.parametrize("first", [True, False])
def test_a_layer_that_is_reachable_twice(first):
    model = Twice(first)
    model(np.zeros((1, 6)))
    sam = keras_sam.SAM(model, perturb=selections.Normalization())
    found = [v.path.split("/")[-1] for v in sam.perturbed_variables]
    assert found == ["gamma", "beta"]


def test_layers_within_other_models_count():
    inputs = keras.Input((6,))
    model = keras.Sequential([inputs, keras.Sequential([net()])])
    found = chosen(selections.Normalization(), model)
    assert len(found) == len(NORMALIZATION)


def test_a_model_without_normalization():
    with pytest.raises(
        ValueError, match=r"Received: Normalization\(\), which matches none of"
    ):
        chosen(selections.Normalization(), testing.dense_net())


def test_landscapes_choose_alike():
    model = net()
    model.compile("sgd", testing.cross_entropy())
    at = landscape.Landscape(model, *testing.data(13))
    climbs = {"ascent_steps": 2, "perturb": selections.Normalization()}
    found = landscape.path(at, 0.1, **climbs)
    same = landscape.path(
        at,
        0.1,
        ascent_steps=2,
        perturb="^(a|b|c|d)/|norm/kernel/",
    )
    assert found.losses.tolist() == same.losses.tolist()


def test_it_comes_back_with_the_model(tmp_path):
    sam = keras_sam.SAM(testing.full_net(), perturb=selections.Normalization())
    sam.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.perturb == selections.Normalization()
    assert [v.path for v in loaded.perturbed_variables] == [
        v.path for v in sam.perturbed_variables
    ]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
