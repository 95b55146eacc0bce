"""docs/catalogue.md is what `make catalogue` writes (README.md: api_test)."""

import re
import sys

import pytest

from keras_sam import recipes
from tests.support import testing  # noqa: F401  Before anything touches devices.
from tools import catalogue

PAGE = (catalogue.ROOT / "docs/catalogue.md").read_text()


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
    by_hand, mark, _ = PAGE.partition("\n## `sgd`")
    assert mark and len(by_hand) > 500
    page = f"Mine.\n\n{by_hand}\n## `old`: gone\n\nGone.\n"
    assert catalogue.catalogue(page) == f"Mine.\n\n{PAGE}"


def test_the_table_is_put_where_it_was():
    page = "Mine.\n\n| `--method` | x |\n|---|---|\n| `old` | y |\n\n| z |\n"
    assert catalogue.readme(page) == (
        f"Mine.\n\n{catalogue.methods.table()}\n\n| z |\n"
    )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
