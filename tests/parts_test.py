"""A part by its name, as the wrapper and the examples take it."""

import dataclasses
import importlib
import re
import sys

import pytest

import keras_sam
from keras_sam import descents
from keras_sam import directions
from keras_sam import parts
from tests.support import testing


def wrapped(**arguments):
    return keras_sam.SAM(testing.dense_net(), **arguments)


def snake(name):
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


NAMES = [(a, name) for a in parts.ARGUMENTS for name in parts.names(a)]


@pytest.mark.parametrize(("argument", "name"), NAMES)
def test_each_part_is_found_by_both_names(argument, name):
    role, module, _ = parts.ARGUMENTS[argument]
    module = importlib.import_module(f"keras_sam.{module}")
    assert parts.find(argument, name) is getattr(module, name)
    assert parts.find(argument, snake(name)) is getattr(module, name)
    assert issubclass(getattr(module, name), role)


@pytest.mark.parametrize("argument", parts.ARGUMENTS)
def test_all_parts_of_a_module_have_a_name(argument):
    module = parts.ARGUMENTS[argument].module
    module = importlib.import_module(f"keras_sam.{module}")
    assert parts.names(argument, parts.Part) == sorted(module.__all__)


def test_parts_of_parts_play_no_role():
    more = parts.names("direction", parts.Part)
    assert set(more) - set(parts.names("direction")) == {
        *("DynamicMask", "FisherMask")
    }
    with pytest.raises(ValueError, match="`direction` must be one of"):
        wrapped(direction="fisher_mask")


@pytest.mark.filterwarnings("ignore:.*no effect")
@pytest.mark.parametrize(("argument", "name"), NAMES)
def test_a_name_is_the_part_with_its_defaults(argument, name):
    kind = parts.find(argument, name)
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING
    ]
    if needed:
        written = f"{argument}={kind.__module__}.{name}({needed[0]}=...)"
        with pytest.raises(ValueError, match=re.escape(written)):
            wrapped(**{argument: name})
        return
    try:
        expected = wrapped(**{argument: kind()})
    except ValueError as error:  # It needs other arguments, too.
        with pytest.raises(ValueError, match=re.escape(str(error))):
            wrapped(**{argument: snake(name)})
        return
    sam = wrapped(**{argument: snake(name)})
    assert getattr(sam, argument) == kind()
    # What is saved is the part.
    configs = [s.get_config() for s in (sam, expected)]
    assert configs[0][argument] == configs[1][argument]
    assert configs[0][argument]["class_name"] == name


def test_the_nearest_names_are_in_the_error():
    with pytest.raises(ValueError) as caught:
        wrapped(direction="unifed")
    text = str(caught.value)
    assert "`keras_sam.directions`" in text and "another callable" in text
    assert "Did you mean 'Unified'? Received: 'unifed'" in text
    assert "'Normalized'" in text and "FisherMask" not in text
    with pytest.raises(ValueError) as caught:
        wrapped(start="none")
    assert "Did you mean" not in str(caught.value)


def test_a_name_trains_as_the_part():
    results = [
        testing.train(
            testing.dense_net,
            lambda model, arguments=arguments: keras_sam.SAM(
                model, rho=0.5, ascent_steps=2, **arguments
            ),
        )
        for arguments in (
            {"direction": "adaptive", "descent": "mean"},
            {"direction": directions.Adaptive(), "descent": descents.Mean()},
        )
    ]
    testing.assert_same(*results)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
