"""Writes the published methods into docs/catalogue.md.

    make catalogue

The page has a table with a row for each recipe, and a section for each: its
call, when to use it, its paper, its cost, its rule, and what its numbers are.
Text above the line `MARK` is by hand and stays.
"""

import dataclasses
import inspect
import itertools
import pathlib
import re
import textwrap

import keras_sam
from examples import methods

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/catalogue.md"
MARK = "<!-- Written by make catalogue. -->"
WIDTH = 88  # Of the lines of a page.
# What a climb has if nothing else is given.
DEFAULTS = {
    "direction": keras_sam.directions.Normalized(),
    "descent": keras_sam.descents.Last(),
}
NO_CLIMB = "- No climb: the optimizer gets `g_0`, the gradient at `z_0`."


def section(name, recipe):
    """Returns the section of a recipe, in Markdown."""
    text = [
        f"## `{name}`: {recipe.heading}",
        f"    {recipe.call('net')}",
        wrapped(f"**Use:** {recipe.use}"),
        wrapped(paper(recipe)),
        wrapped(
            f"Gradients a step: {recipe.cost}. Rule: {recipe.confirmation}."
        ),
        "\n".join(rules(recipe)),
    ]
    if recipe.numbers:
        whose, _, rest = recipe.numbers.partition(": ")
        text.append(wrapped(f"**{whose}:** {rest}"))
    return "\n\n".join(filter(None, text))


def paper(recipe):
    """Returns authors, title, year and source of the paper of a recipe."""
    if recipe.paper is None:
        return ""
    return f"{recipe.paper.citation()}, {methods.source(recipe)}."


def rules(recipe):
    """Returns what the parts of a recipe compute: items of a list."""
    given = recipe.arguments
    climbs = given.get("ascent_steps") != 0
    values = (DEFAULTS | given if climbs else given).values()
    items = [rule(part, recipe.source) for part in parts(values)]
    return items if climbs else [*items, NO_CLIMB]


def parts(values):
    """Returns the classes of the parts in values, and of the parts in these."""
    return dict.fromkeys(kind for value in values for kind in kinds(value))


def kinds(value):
    """Yields the class of a part, and of the parts in it."""
    if isinstance(value, keras_sam.Part):
        yield type(value)
        for field in dataclasses.fields(value):
            yield from kinds(getattr(value, field.name))


def rule(part, paper):
    """Returns what a part computes, and who confirms it: an item of a list.

    What is SAM's in most methods has its reference only where it is of the
    paper of the method.
    """
    name = f"{part.__module__}.{part.__name__}"
    page = f"reference/{part.__module__.rpartition('.')[2]}.md"
    link = f"[`{name.partition('.')[2]}`]({page}#{name})"
    paragraphs = inspect.getdoc(part).split("\n\n")
    source = [p for p in paragraphs if p.startswith("Reference: ")]
    if part in parts(DEFAULTS.values()):
        source = [p for p in source if paper and paper in p]
    text = " ".join([f"{link}:", *formulas(paragraphs), *source])
    return "- " + wrapped(text, "  ").lstrip()


def formulas(paragraphs):
    """Yields what a docstring begins with, and its other formulas.

    A formula on lines of its own needs the text around it. Its lines become
    code within the text.
    """
    sections = re.compile("(Args|Raises|Reference):")
    end = next((p for p in paragraphs if sections.match(p)), None)
    first, *rest = paragraphs[: paragraphs.index(end)] if end else paragraphs
    yield first
    has_lines = any(p.startswith("    ") for p in rest)
    for paragraph, following in itertools.zip_longest(rest, rest[1:]):
        if paragraph.startswith("    "):
            lines = (" ".join(x.split()) for x in paragraph.splitlines())
            goes_on = following is not None and following[0].islower()
            yield ", ".join(f"`{x}`" for x in lines) + "." * (not goes_on)
        elif has_lines or re.search("`[^`]* (=|<-) [^`]*`", paragraph):
            yield paragraph


def wrapped(text, indent=""):
    """Returns a paragraph of Markdown, in lines of at most `WIDTH`.

    Code stays in one piece, and "1." with the word before it: a line that
    begins with a minus or a number would be an item of a list.
    """
    whole = " ".join(text.split())
    whole = re.sub(r"`[^`]*`", lambda c: c[0].replace(" ", "\0"), whole)
    lines = textwrap.fill(
        re.sub(r" (?=\d+\. )", "\0", whole),
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
