"""Fields of parts: their checks, their config, and that parts are values."""

import dataclasses
import inspect
import sys

import keras
import pytest

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import radii
from keras_sam import recipes
from keras_sam import samples
from keras_sam import starts
from tests.support import testing

NAN = float("nan")
MODULES = (directions, descents, cadences, starts, samples)
KINDS = [
    value
    for module in MODULES
    for value in vars(module).values()
    if inspect.isclass(value) and dataclasses.is_dataclass(value)
]
# What has no default, and other values than the defaults.
GIVEN = {
    cadences.LatePhase: {"steps": 7, "fraction": 0.4},
    cadences.Threshold: {"steps": 7, "first": 2.0},
    descents.Weighted: {"weights": (0.5, 0.5)},
    descents.FirstOrderFlatness: {"betas": (1.0, 2.0, 3.0)},
    directions.DynamicMask: {"steps": 7},
    directions.Sparse: {"mask": directions.DynamicMask(9)},
    directions.Unified: {
        "share": keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.5)
    },
}


def decay(start):
    return keras.optimizers.schedules.PolynomialDecay(start, 10, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_config_round_trip(kind):
    part = kind(**GIVEN.get(kind, {}))
    config = keras.saving.serialize_keras_object(part)
    again = keras.saving.deserialize_keras_object(config)
    if kind is directions.Unified:  # Keras's schedules have no equality.
        assert again.share.get_config() == part.share.get_config()
    else:
        assert again == part
        assert hash(again) == hash(part)
        assert repr(again) == repr(part)


@pytest.mark.parametrize("kind", KINDS)
def test_parts_are_frozen(kind):
    part = kind(**GIVEN.get(kind, {}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.alpha = 1.0


@pytest.mark.parametrize(
    ("kind", "field", "values"),
    [
        (directions.Adaptive, "eta", (-0.1, NAN, float("inf"))),
        (directions.Adaptive, "scaled", ("(",)),
        (directions.Fisher, "eta", (-0.1, NAN)),
        (directions.Matching, "ratio", (-0.1, NAN)),
        (directions.LossEquated, "rho_max", (0.0, float("inf"))),
        (directions.ZScored, "quantile", (-0.1, 1.0)),
        (directions.Unified, "share", (-0.1, 1.1, decay(1.5))),
        (directions.Friendly, "decay", (-0.1, 1.0)),
        (directions.Friendly, "sigma", (NAN,)),
        (directions.VarianceSuppressed, "theta", (0.0, 1.1)),
        (directions.Random, "seed", (-1,)),
        (directions.Random, "scaled", ("filter", None)),
        (directions.AdaptiveRandom, "eta", (-0.1, NAN)),
        (directions.AdaptiveRandom, "decay", (-0.1, 1.0)),
        (directions.AdaptiveRandom, "seed", (-1,)),
        (directions.LowerBound, "mu", (0.0, NAN)),
        (directions.LowerBound, "alpha", (0.0, -1.0)),
        (directions.NoiseFirst, "length", (0.0, NAN)),
        (directions.NoiseFirst, "seed", (-1,)),
        (directions.Smoothed, "sigma", (-0.1,)),
        (directions.Smoothed, "weight", (-0.1,)),
        (directions.Subset, "probability", (0.0, 1.1)),
        (directions.FisherMask, "examples", (0,)),
        (directions.FisherMask, "batches", (0,)),
        (directions.Sparse, "sparsity", (-0.1, 1.0)),
        (directions.Sparse, "period", (0,)),
        (directions.Sparse, "steps_per_epoch", (0,)),
        (directions.Eigen, "alpha", (-0.1,)),
        (directions.Eigen, "iterations", (0,)),
        (descents.Weighted, "weights", ((), (1.0,), (1.0, NAN))),
        (descents.Accumulated, "alpha", (-0.1,)),
        (descents.Penalized, "alpha", (NAN,)),
        (descents.Decoupled, "alpha", (float("inf"),)),
        (descents.SurrogateGap, "alpha", (-0.1,)),
        (descents.CurvatureRegularized, "gamma", (NAN,)),
        (descents.EigenCorrected, "alpha", (-0.1, NAN)),
        (descents.EigenCorrected, "period", (0,)),
        (descents.EigenCorrected, "iterations", (0,)),
        (descents.SearchedSlerp, "rho_max", (0.0,)),
        (descents.SearchedSlerp, "period", (0,)),
        (descents.Mirrored, "climbs", (0, -1)),
        (descents.Tilted, "climbs", (0,)),
        (descents.Tilted, "tilt", (-0.1, NAN, float("inf"))),
        (descents.FirstOrderFlatness, "rho", (0.0,)),
        (descents.FirstOrderFlatness, "betas", ((1.0, 2.0),)),
        (cadences.Every, "k", (0,)),
        (cadences.Every, "start", (-1,)),
        (cadences.Every, "stop", (0,)),
        (cadences.LatePhase, "steps", (0,)),
        (cadences.Randomly, "probability", (-0.1, 1.1, decay(2.0))),
        (cadences.Threshold, "steps", (0,)),
        (cadences.Reuse, "alpha", (-0.1,)),
        (starts.Momentum, "decay", (1.0, -0.1)),
        (starts.Random, "seed", (-1,)),
        (starts.AdaptiveRandom, "eta", (-0.1, NAN)),
        (starts.AdaptiveRandom, "decay", (-0.1, 1.0)),
        (starts.AdaptiveRandom, "seed", (-1,)),
        (samples.Largest, "fraction", (0.0, 1.1)),
        (samples.Rising, "fraction", (0.0, NAN)),
        (samples.Drawn, "seed", (-1,)),
    ],
)
def test_out_of_range(kind, field, values):
    for value in values:
        with pytest.raises(ValueError, match=f"`{field}` must .* Received: "):
            kind(**{field: value})


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (directions.Adaptive, "eta", "0"),
        (directions.Adaptive, "eta", True),
        (directions.Adaptive, "scaled", 3),
        (directions.Adaptive, "scaled", bool),
        (directions.LossEquated, "rho_max", None),
        (directions.Sparse, "mask", None),
        (descents.Weighted, "weights", 1.0),
        (descents.Weighted, "weights", ("1", "2")),
        (descents.Mirrored, "climbs", 2.0),
        (cadences.Every, "k", 2.0),
        (cadences.Randomly, "probability", None),
        (samples.Drawn, "seed", 0.5),
    ],
)
def test_wrong_type(kind, field, value):
    with pytest.raises(TypeError, match=f"`{field}` must .* Received: "):
        kind(**{field: value})


def test_a_mask_of_more_batches_than_its_period():
    mask = directions.FisherMask(batches=7)
    with pytest.raises(ValueError, match="at least the `batches`.*7. Received"):
        directions.Sparse(mask, period=2, steps_per_epoch=3)
    directions.Sparse(mask, period=7)
    directions.Sparse(mask, period=2, steps_per_epoch=4)


def test_radius_follows_the_learning_rate():
    rate = keras.optimizers.schedules.PolynomialDecay(0.4, 10, 0.1)
    rho = radii.LinearInLearningRate(rate, 0.6, 0.1, lr_max=0.4, lr_min=0.1)
    found = [float(rho(step)) for step in (0, 5, 10, 20)]
    assert found == pytest.approx([0.6, 0.35, 0.1, 0.1])
    config = keras.saving.serialize_keras_object(rho)
    again = keras.saving.deserialize_keras_object(config)
    assert float(again(5)) == float(rho(5))
    assert again.get_config() == rho.get_config()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"learning_rate": 0.1}, TypeError),
        ({"rho_max": -0.1}, ValueError),
        ({"rho_min": "0"}, TypeError),
        ({"lr_max": 0.0}, ValueError),
        ({"lr_max": 0.1, "lr_min": 0.1}, ValueError),
    ],
)
def test_bad_radius(arguments, error):
    good = {
        "learning_rate": decay(0.1),
        "rho_max": 0.5,
        "rho_min": 0.1,
        "lr_max": 0.1,
    }
    with pytest.raises(error, match="must be .* Received: "):
        radii.LinearInLearningRate(**{**good, **arguments})


def test_recipes_are_arguments_of_the_wrapper():
    for recipe in recipes.RECIPES.values():
        keras_sam.SAM(testing.full_net(), **recipe.arguments)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
