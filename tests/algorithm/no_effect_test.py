"""Arguments that change nothing are named once, at the user's line."""

import sys
import warnings

import keras
import pytest

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import samples
from keras_sam import starts
from keras_sam._algorithm import no_effect
from tests.support import testing

NET = testing.full_net()
SCHEDULE = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)


def messages(**arguments):
    """Returns the texts of the warnings that wrapping gives."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keras_sam.SAM(NET, **arguments)
    assert {w.filename for w in caught} <= {__file__}
    assert {w.category for w in caught} <= {no_effect.NoEffectWarning}
    return [str(w.message) for w in caught]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rho", 0.1),
        ("rho", SCHEDULE),
        ("radius", "full"),
        ("direction", directions.Adaptive()),
        ("descent", descents.Penalized()),
        ("cadence", cadences.Every(2)),
        ("ascent_samples", samples.Largest()),
        ("descent_samples", samples.Largest()),
        ("perturb", "kernel"),
    ],
)
def test_without_a_climb(name, value):
    (text,) = messages(ascent_steps=0, **{name: value})
    assert f"`{name}` has no effect with `ascent_steps=0`" in text
    assert f"Received: {name}={value!r}" in text


def test_several_arguments_are_one_warning():
    (text,) = messages(ascent_steps=0, rho=0.2, descent=descents.Mean())
    assert "`descent` and `rho` have no effect" in text


@pytest.mark.parametrize(
    "arguments",
    [
        {"descent": descents.Mean()},
        {"descent": descents.Accumulated(1.0)},
        {"radius": "full"},
        {"radius": "matched"},
        {"radius": "projected"},
    ],
)
def test_with_one_step(arguments):
    (name,) = arguments
    (text,) = messages(**arguments)
    assert f"`{name}` has no effect with `ascent_steps=1`" in text
    assert not messages(ascent_steps=2, **arguments)


def test_a_radius_of_zero():
    (text,) = messages(rho=0.0)
    assert "The climb has no effect with `rho=0`" in text
    (text,) = messages(rho=0.0, start=starts.Stale(), ascent_steps=0)
    assert "`start` has no effect with `rho=0`" in text


@pytest.mark.parametrize("name", ["ascent_samples", "descent_samples"])
def test_all_examples(name):
    (text,) = messages(**{name: samples.Largest(1.0)})
    assert f"`{name}` has no effect with `fraction=1`" in text


def test_climbs_that_are_all_alike():
    (text,) = messages(descent=descents.Mirrored(climbs=2))
    assert "`climbs` has no effect with a `direction` that draws no" in text
    assert "Received: descent=Mirrored(climbs=2), direction=Normal" in text


@pytest.mark.parametrize(
    "arguments",
    [
        {"ascent_steps": 0},
        {"ascent_steps": 0, "num_batch_splits": 2},
        {"ascent_steps": 0, "start": starts.Stale(), "rho": 0.1},
        {"ascent_steps": 0, "start": starts.Stale(), "perturb": "kernel"},
        # A step longer than rho is shortened.
        {"radius": "projected", "direction": directions.Unnormalized()},
        {"radius": "projected", "start": starts.Stale()},
        {"descent": descents.Accumulated(0.5)},
        {"descent": descents.Mirrored()},
        {"descent": descents.Mirrored(2), "direction": directions.Subset()},
        {
            "descent": descents.Mirrored(2),
            "direction": directions.Sparse(directions.DynamicMask(9)),
        },
        {"descent": descents.Mirrored(2), "direction": testing.Averaged()},
        # These measure, or descend with another gradient, at w itself.
        {"rho": 0.0, "track": True},
        {"rho": 0.0, "descent": descents.Accumulated(0.5)},
        {"rho": 0.0, "descent_samples": samples.Largest()},
        {"rho": keras.optimizers.schedules.ExponentialDecay(0.0, 10, 0.5)},
    ],
)
def test_what_has_an_effect(arguments):
    assert not messages(**arguments)


@pytest.mark.parametrize("name", keras_sam.recipes.RECIPES)
def test_recipes_have_only_what_counts(name):
    assert not messages(**keras_sam.recipes.RECIPES[name].arguments)


def test_a_subclass_is_told_at_its_own_line():
    class Own(keras_sam.SAM):
        def __init__(self, model):
            super().__init__(model, descent=descents.Mean())

    with pytest.warns(no_effect.NoEffectWarning) as caught:
        Own(NET)
    assert [w.filename for w in caught] == [__file__]


def test_a_file_is_not_told():
    with pytest.warns(no_effect.NoEffectWarning):
        sam = keras_sam.SAM(NET, radius="full")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = keras_sam.SAM.from_config(sam.get_config())
    assert again.radius == "full"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
