"""Recipes say whose their numbers are; an unknown one names the nearest."""

import dataclasses
import re
import sys

import pytest

from keras_sam import parts
from keras_sam import recipes
from tests.support import testing  # noqa: F401  Before anything touches devices.


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GSAM", "gsam"),
        ("SAM-ON", "sam_on"),
        ("K-SAM", "k_sam"),
        ("ssam-f", "ssam_f"),
        ("StableSAM", "stable"),
        ("Friendly SAM", "friendly"),
        ("multi_step_last", "multistep_last"),
    ],
)
def test_another_spelling(name, meant):
    with pytest.raises(KeyError, match=f"Did you mean '{meant}'") as caught:
        recipes.RECIPES[name]
    assert f"Received: {name!r}. The names are sgd, sam," in str(caught.value)


def test_two_methods_of_one_spelling():
    """XSAM and X-SAM are two methods."""
    with pytest.raises(KeyError, match="mean 'xsam' or 'eigen_corrected'"):
        recipes.RECIPES["X-SAM"]


@pytest.mark.parametrize("name", ["adam", 3, None])
def test_what_is_like_no_name(name):
    with pytest.raises(KeyError, match=f"one of its names. .*{name}"):
        recipes.RECIPES[name]
    assert name not in recipes.RECIPES and recipes.RECIPES.get(name) is None


def numbers(value):
    """Returns the numbers in an argument. 0 is none: it leaves something out.

    Seeds are nobody's. Numbers of steps are lengths of the user's training, and
    `batches` goes with `examples`.
    """
    if isinstance(value, parts.Part):
        fields = {f.name for f in dataclasses.fields(value)}
        chosen = sorted(
            fields - {"seed", "steps", "steps_per_epoch", "batches"}
        )
        return [n for f in chosen for n in numbers(getattr(value, f))]
    if isinstance(value, (tuple, list)):
        return [number for each in value for number in numbers(each)]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return [value] if is_number and value else []


TRAINED = {k: r for k, r in recipes.RECIPES.items() if k != "sgd"}


@pytest.mark.parametrize("recipe", TRAINED.values(), ids=TRAINED)
def test_a_recipe_says_whose_its_numbers_are(recipe):
    text = recipe.numbers
    whose = re.match(r"(Paper|Authors|Library|Ours): \S", text)
    assert whose, 'It must begin with "Paper: ", "Authors: ", ...'
    assert text.endswith(".") and text == " ".join(text.split())
    if whose[1] in ("Authors", "Library"):
        assert re.search(r"\([\w.-]+/[\w.-]+, [^)]*[\w/]+\.\w+", text), (
            "It must name repository and file: (owner/name, file.py)"
        )
    if whose[1] == "Paper":
        place = "table|section|appendix|figure|algorithm|equation|abstract"
        assert re.search(place, text), "It must say where in the paper"


@pytest.mark.parametrize("recipe", TRAINED.values(), ids=TRAINED)
def test_all_numbers_of_a_recipe_are_told(recipe):
    told = set(re.findall(r"(?<![\w.-])-?\d+(?:\.\d+)?", recipe.numbers))
    given = {f"{n:g}" for v in recipe.arguments.values() for n in numbers(v)}
    assert given, "no numbers at all"
    assert given <= told, f"Not in `numbers`: {sorted(given - told)}"


@pytest.mark.parametrize("recipe", TRAINED.values(), ids=TRAINED)
def test_the_first_rho_is_that_of_the_recipe(recipe):
    """The other radii of the authors come after it."""
    rho = re.search(r"\brho (\d+(?:\.\d+)?)", recipe.numbers)
    assert rho and float(rho[1]) == recipe.arguments["rho"]


def test_plain_training_has_no_numbers():
    assert recipes.RECIPES["sgd"].numbers == ""


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
