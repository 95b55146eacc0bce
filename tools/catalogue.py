"""Writes the published methods into README.md and docs/catalogue.md.

    make catalogue

The table of README.md has a row for each recipe. docs/catalogue.md has a
section for each, with what its numbers are. Text outside of the table, and
above the first section, is by hand and stays.
"""

import pathlib
import re
import textwrap

import keras_sam
from examples import methods

ROOT = pathlib.Path(__file__).parents[1]
WIDTH = 88  # Of the lines of a page.


def section(name, recipe):
    """Returns the section of a recipe, in Markdown."""
    gradients = f"Gradients a step: {recipe.cost}."
    source = f"Source: {methods.source(recipe)}." if recipe.source else ""
    text = [
        f"## `{name}`: {methods.title(recipe)}",
        f"    {recipe.call('net')}",
        wrapped(f"{gradients} {source}"),
    ]
    if recipe.numbers:
        whose, _, rest = recipe.numbers.partition(": ")
        text.append(wrapped(f"**{whose}:** {rest}"))
    return "\n\n".join(text)


def wrapped(text):
    """Returns a paragraph of Markdown, in lines of at most `WIDTH`."""
    return textwrap.fill(
        text.strip(), WIDTH, break_long_words=False, break_on_hyphens=False
    )


def catalogue(page):
    """Returns docs/catalogue.md with the sections of today's recipes."""
    by_hand, _, _ = page.partition("\n## `")
    sections = [section(*each) for each in keras_sam.recipes.RECIPES.items()]
    return "\n\n".join([by_hand.rstrip(), *sections]) + "\n"


def readme(page):
    """Returns README.md with today's table of methods."""
    table = re.compile(
        r"^\| `--method` \|.*?\n(?!\|)", re.DOTALL | re.MULTILINE
    )
    return table.sub(lambda _: methods.table() + "\n", page, count=1)


PAGES = {"README.md": readme, "docs/catalogue.md": catalogue}


def main():
    for name, written in PAGES.items():
        path = ROOT / name
        page = path.read_text()
        path.write_text(written(page))


if __name__ == "__main__":
    main()
