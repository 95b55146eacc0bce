"""Recipes say whose their numbers are; an unknown one names the nearest."""

import dataclasses
import inspect
import re
import sys
from collections.abc import Mapping

import keras
import pytest

import keras_sam
from benchmarks.cheaper import grid as cheaper
from examples.study import grid as study
from keras_sam import parts
from keras_sam import recipes
from keras_sam.recipes import _papers
from tests.support import testing  # noqa: F401  Before anything touches devices.
from tools import catalogue


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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gsam", "gsam"),
        ("GSAM", "gsam"),
        ("SAM-ON", "sam_on"),
        ("sam on", "sam_on"),
        ("Friendly SAM", "friendly"),
        ("XSAM", "xsam"),
        ("Multistep-Mean", "multistep_mean"),
    ],
)
def test_a_recipe_is_found_by_name_and_title(name, meant):
    assert recipes.find(name) == meant


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gsaam", "Did you mean 'gsam' (GSAM) or "),
        ("X-SAM", "Did you mean 'xsam' (XSAM) or 'eigen_corrected' (X-SAM)?"),
        ("the same, mixed", "'rwp_mixed' (the same, mixed) or 'arwp_mixed' ("),
        (3, "name. `print(keras_sam.recipes.RECIPES)` lists all"),
    ],
)
def test_a_recipe_that_is_not_found(name, text):
    with pytest.raises(ValueError) as caught:
        recipes.find(name)
    assert text in str(caught.value)
    assert str(caught.value).endswith(f"Received: {name!r}")


def test_every_recipe_is_found_by_its_name():
    assert [recipes.find(name) for name in recipes.RECIPES] == list(
        recipes.RECIPES
    )


def test_recipes_are_a_mapping_that_prints_as_a_table():
    assert isinstance(recipes.RECIPES, Mapping)
    head, *lines = str(recipes.RECIPES).splitlines()
    assert head.split() == "name method gradients a step source".split()
    assert [line.split()[0] for line in lines] == list(recipes.RECIPES)
    start = head.index("method")
    for line, row in zip(lines, recipes.RECIPES.values(), strict=True):
        assert line[start:].startswith(f"{row.title}  ")
        assert line.endswith(row.source or row.cost)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*ASAM", ["asam"]),
        ("asam", ["asam", "asam_weights"]),
        ("2302.10181", ["multistep_last", "multistep_mean"]),
        ("tanh", ["bisam"]),  # In its note.
        ("[gs]agm", ["sagm"]),
        ("foret", ["sam", "m_sam"]),  # An author.
        ("from the authors", ["multistep_mean"]),  # How far it is confirmed.
        ("nothing", []),
    ],
)
def test_a_search(pattern, found):
    rows = recipes.search(pattern)
    assert list(rows) == found
    assert all(rows[name] is recipes.RECIPES[name] for name in found)
    assert len(str(rows).splitlines()) == 1 + len(found)


def small():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def test_a_wrapper_of_a_recipe():
    class Own(keras_sam.SAM):
        pass

    sam = Own.from_recipe("GSAM", small(), rho=0.3, name="mine")
    assert type(sam) is Own
    assert (sam.rho, sam.name) == (0.3, "mine")
    assert sam.descent == recipes.RECIPES["gsam"].arguments["descent"]
    assert keras_sam.SAM.from_recipe("gsam", small()).rho == 0.05
    assert recipes.RECIPES["gsam"].arguments["rho"] == 0.05


def test_a_wrapper_of_no_recipe():
    with pytest.raises(ValueError, match="mean 'gsam'"):
        keras_sam.SAM.from_recipe("gsamm", small())
    with pytest.raises(TypeError) as expected:
        keras_sam.SAM(small(), rh=1)
    with pytest.raises(TypeError) as caught:
        keras_sam.SAM.from_recipe("gsam", small(), rh=1)
    assert str(caught.value) == str(expected.value)


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


ALL = recipes.RECIPES
PUBLISHED = {name: recipe for name, recipe in ALL.items() if recipe.source}


def test_only_forms_of_our_own_have_no_paper():
    assert set(ALL) - set(PUBLISHED) == {
        *("sgd", "multistep_matched", "multistep_weighted", "multistep_full"),
        "last_layer",
    }
    for recipe in ALL.values():
        assert bool(recipe.source) == bool(recipe.evidence)
        assert (recipe.paper is None) == (not recipe.source)


@pytest.mark.parametrize("recipe", PUBLISHED.values(), ids=PUBLISHED)
def test_a_recipe_has_a_paper(recipe):
    paper = recipe.paper
    year = re.match(r"(\d\d)\d\d\.\d{5}$", recipe.source)
    assert not year or paper.year == 2000 + int(year[1])
    assert 2020 <= paper.year < 2100
    for name in paper.authors.split(", "):
        assert re.fullmatch(r"[A-ZÇ][\w.-]*( [\w.-]+)+", name), name
    assert paper.title == " ".join(paper.title.split())
    assert paper.title[-1] != "." and paper.title[0].isupper()


def test_no_paper_is_there_twice_or_for_nothing():
    used = {recipe.source for recipe in PUBLISHED.values()}
    assert set(_papers.PAPERS) == used
    titles = [paper.title for paper in _papers.PAPERS.values()]
    assert len(set(titles)) == len(titles)


# Those that docs/study.md, docs/study_sharper.md and docs/cheaper.md compare.
MEASURED = {
    *(arm.recipe for arm in cheaper.ARMS.values()),
    *(method for method, _, _ in study.METHODS.values()),
}


@pytest.mark.parametrize("name", ALL)
def test_a_recipe_says_when_to_use_it(name):
    text = ALL[name].use
    assert text[0].isupper() and text.endswith(".")
    assert text == " ".join(text.split())
    assert text.endswith("Not measured here.") == (name not in MEASURED)
    for other in re.findall("`(.*?)`", text):
        assert other in ALL


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_confirmed_is_told(name):
    recipe = ALL[name]
    assert recipe.heading.startswith(recipe.title)
    assert recipe.note in recipe.heading
    doubtful = recipe.evidence not in ("", "authors' code")
    assert ("confirmed" in recipe.confirmation) == doubtful
    told = re.search("not confirmed|inferred", recipe.heading)
    assert bool(told) == doubtful


DOUBT = re.compile(
    "not confirmed|no code (of (the|its) authors )?was found|"
    "(from|as in) a secondary",
    re.IGNORECASE,
)


@pytest.mark.parametrize("recipe", PUBLISHED.values(), ids=PUBLISHED)
def test_parts_and_recipes_agree_how_far_a_rule_is_confirmed(recipe):
    """The docstring of a part names papers, and says it behind each."""
    for kind in catalogue.parts(recipe.arguments.values()):
        _, _, source = inspect.getdoc(kind).partition("Reference: ")
        _, _, behind = " ".join(source.split()).partition(recipe.source)
        doubt = DOUBT.search(behind.partition("arXiv:")[0])
        if behind:
            assert bool(doubt) == (recipe.evidence != "authors' code"), kind


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
