"""Writes the published methods into docs/catalogue.md.

    make catalogue

The page has a table with a row for each recipe, and a section for each: its
call, its rule, its source, and what its numbers are. Text above the line
`MARK` is by hand and stays.
"""

import inspect
import pathlib
import re
import textwrap

import keras_sam
from examples import methods

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/catalogue.md"
MARK = "<!-- Written by make catalogue. -->"
WIDTH = 88  # Of the lines of a page.


def section(name, recipe):
    """Returns the section of a recipe, in Markdown."""
    text = [
        f"## `{name}`: {methods.title(recipe)}",
        f"    {recipe.call('net')}",
        wrapped(f"Gradients a step: {recipe.cost}. {dated(recipe)}"),
        "\n".join(map(rule, parts(recipe))),
    ]
    if recipe.numbers:
        whose, _, rest = recipe.numbers.partition(": ")
        text.append(wrapped(f"**{whose}:** {rest}"))
    return "\n\n".join(filter(None, text))


def dated(recipe):
    """Returns the source of a recipe, with the year that arXiv's ids begin."""
    if not recipe.source:
        return ""
    year = re.match(r"(\d\d)\d\d\.\d+$", recipe.source)
    date = f" (20{year[1]})" if year else ""
    return f"Source: {methods.source(recipe)}{date}."


def parts(recipe):
    """Returns the classes of the parts of a recipe."""
    values = recipe.arguments.values()
    return dict.fromkeys(
        type(value) for value in values if isinstance(value, keras_sam.Part)
    )


def rule(part):
    """Returns what a part computes, and who confirms it: an item of a list."""
    name = f"{part.__module__}.{part.__name__}"
    page = f"reference/{part.__module__.rpartition('.')[2]}.md"
    link = f"[`{name.partition('.')[2]}`]({page}#{name})"
    paragraphs = inspect.getdoc(part).split("\n\n")
    source = [p for p in paragraphs if p.startswith("Reference: ")]
    text = " ".join([f"{link}: {paragraphs[0]}", *source])
    return "- " + wrapped(text, "  ").lstrip()


def wrapped(text, indent=""):
    """Returns a paragraph of Markdown, in lines of at most `WIDTH`.

    Code stays in one piece: a line of it that begins with a minus would be an
    item of a list.
    """
    whole = re.sub(r"`[^`]*`", lambda c: c[0].replace(" ", "\0"), text.strip())
    lines = textwrap.fill(
        " ".join(whole.split(None)),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines.replace("\0", " ")


def catalogue(page):
    """Returns docs/catalogue.md with the table and sections of today."""
    by_hand, _, _ = page.partition(MARK)
    sections = [section(*each) for each in keras_sam.recipes.RECIPES.items()]
    written = [f"{by_hand}{MARK}", methods.table(), *sections]
    return "\n\n".join(written) + "\n"


def main():
    PAGE.write_text(catalogue(PAGE.read_text()))


if __name__ == "__main__":
    main()
