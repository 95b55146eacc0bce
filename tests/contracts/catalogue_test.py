"""docs/catalogue.md is what `make catalogue` writes (its calls: api_test)."""

import re
import sys

import pytest

from keras_sam import recipes
from tests.support import testing  # noqa: F401  Before anything touches devices.
from tools import catalogue

PAGE = catalogue.PAGE.read_text()


def test_the_page_is_what_the_tool_writes():
    assert catalogue.catalogue(PAGE) == PAGE, "Run `make catalogue`"


def test_the_page_has_the_numbers_of_each_recipe():
    _, *sections = re.split(r"^## `(\w+)`: ", PAGE, flags=re.MULTILINE)
    found = dict(zip(sections[::2], sections[1::2], strict=True))
    assert list(found) == list(recipes.RECIPES)
    for name, recipe in recipes.RECIPES.items():
        text = " ".join(found[name].replace("**", "").split())
        assert recipe.numbers in text, name


def test_text_by_hand_stays():
    by_hand, mark, _ = PAGE.partition(catalogue.MARK)
    assert mark and len(by_hand) > 500
    page = f"Mine.\n\n{by_hand}{mark}\n\n## `old`: gone\n\nGone.\n"
    assert catalogue.catalogue(page) == f"Mine.\n\n{PAGE}"


def test_the_page_has_uses_and_papers():
    text = " ".join(PAGE.split())
    for name, recipe in recipes.RECIPES.items():
        _, _, section = text.partition(f"## `{name}`: ")
        section, _, _ = section.partition(" ## ")
        assert f"**Use:** {recipe.use}" in section
        assert f"Rule: {recipe.confirmation}." in section
        assert recipe.paper is None or recipe.paper.citation() in section


def test_code_stays_in_one_piece():
    text = catalogue.wrapped(f"{'word ' * 17}`a - b`")
    assert text.splitlines()[-1] == "`a - b`"


def test_a_number_does_not_begin_a_list():
    text = catalogue.wrapped(f"{'word ' * 17}= 1. Then")
    assert text.splitlines()[-1] == "= 1. Then"


def test_no_line_begins_a_list_by_chance():
    _, _, written = PAGE.partition(catalogue.MARK)
    items = re.findall(r"^ *(?:-|\d+\.) (.*)", written, re.MULTILINE)
    rules = map(catalogue.rules, recipes.RECIPES.values())
    assert len(items) == sum(len(list(each)) for each in rules)
    assert all(item.startswith(("[`", "No climb")) for item in items)


def test_formulas_of_a_docstring():
    text = (
        "First.\n\nNo formula.\n\nHere `a = b` holds.\n\nArgs:\n    x: `y = z`."
    )
    assert list(catalogue.formulas(text.split("\n\n"))) == [
        "First.",
        "Here `a = b` holds.",
    ]
    text = "First.\n\nBefore:\n\n    a  = b\n    c\n\nwith d.\n\nReference: e."
    assert list(catalogue.formulas(text.split("\n\n"))) == [
        *("First.", "Before:", "`a = b`, `c`", "with d."),
    ]


def test_what_is_of_sam_has_its_reference_once():
    """In the method of the paper, and not in all methods that have it."""
    last = catalogue.DEFAULTS["descent"]
    assert "equation 3" in catalogue.rule(type(last), "2010.01412")
    assert "equation" not in catalogue.rule(type(last), "2102.11600")
    assert "equation" not in catalogue.rule(type(last), "")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
