"""The reference in docs/reference has each public name on exactly one page."""

import collections
import importlib
import inspect
import pathlib
import re
import sys

import pytest

import keras_sam
from tests.support import testing  # noqa: F401  Before anything touches devices.

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/reference").glob("*.md"))
# The longer name of each of these is on a page, which also tells the short one.
SHORT = {
    "keras_sam.SAM": "keras_sam.SharpnessAwareMinimization",
    "keras_sam.Part": "keras_sam.parts.Part",
    "keras_sam.BackupAndRestore": "keras_sam.callbacks.BackupAndRestore",
}


def public():
    """Yields the public names, dotted: modules, and what their lists have."""
    for name in keras_sam.__all__:
        dotted, value = f"keras_sam.{name}", getattr(keras_sam, name)
        if not name.startswith("__"):
            yield dotted
        if inspect.ismodule(value):
            yield from (f"{dotted}.{inner}" for inner in value.__all__)


def resolved(dotted):
    """Returns what a dotted name means, of a module or within one."""
    module, _, rest = dotted.rpartition(".")
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(module), rest)


def documented():
    """Returns {id of an object: the pages that document it}."""
    found = collections.defaultdict(list)
    for page in PAGES:
        for name in re.findall(r"^::: (\S+)", page.read_text(), re.MULTILINE):
            found[id(resolved(name))].append(page.name)
    return found


@pytest.mark.parametrize("name", sorted(public()))
def test_a_public_name_is_on_one_page(name):
    assert len(documented()[id(resolved(name))]) == 1


def test_no_other_name_is_on_a_page():
    names = {id(resolved(name)) for name in public()}
    assert not [page for key, page in documented().items() if key not in names]


@pytest.mark.parametrize("short", SHORT)
def test_short_names(short):
    assert resolved(short) is resolved(SHORT[short])
    (page,) = documented()[id(resolved(short))]
    assert f"`{short}`" in (ROOT / "docs/reference" / page).read_text()


def test_the_overview_links_to_each_page():
    overview = (ROOT / "docs/reference/index.md").read_text()
    linked = re.findall(r"\]\((\w+\.md)\)", overview)
    assert sorted([*linked, "index.md"]) == [page.name for page in PAGES]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
