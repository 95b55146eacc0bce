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


def test_code_stays_in_one_piece():
    text = catalogue.wrapped(f"{'word ' * 17}`a - b`")
    assert text.splitlines()[-1] == "`a - b`"


def test_no_line_begins_a_list_by_chance():
    _, _, written = PAGE.partition(catalogue.MARK)
    items = re.findall(r"^ *- (.*)", written, re.MULTILINE)
    rules = map(catalogue.parts, recipes.RECIPES.values())
    assert len(items) == sum(map(len, rules))
    assert all(item.startswith("[`") for item in items)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
