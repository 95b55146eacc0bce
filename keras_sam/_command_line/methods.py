"""The commands `methods` and `show`: published methods as text."""

import argparse
import inspect
import textwrap
from typing import Any

from keras_sam import recipes
from keras_sam._algorithm.method import Method
from keras_sam._training import description
from keras_sam.parts import Part


def add(commands: Any) -> None:
    """Adds the commands to the parser.

    Args:
        commands: What `ArgumentParser.add_subparsers` has returned.
    """
    listing = commands.add_parser(
        "methods",
        help="list the published methods, all or some",
        description="Lists the published methods by name, with their cost.",
    )
    listing.add_argument(
        "pattern",
        nargs="?",
        default="*",
        help='what to look for, such as "asam", "*look*" or "Foret", in names, '
        "titles, notes and papers",
    )
    listing.set_defaults(run=_list)
    showing = commands.add_parser(
        "show",
        help="show one method",
        description="Shows a method: its paper, when to use it, whose its "
        "numbers are, the call, and what a train step does.",
    )
    showing.add_argument("name", help='name or title, such as "gsam" or "ASAM"')
    showing.set_defaults(run=_show)


def _list(given: argparse.Namespace) -> str:
    found = recipes.search(given.pattern)
    if not found:
        raise ValueError(
            "no method has this in its name, title, note or paper. "
            f"Received: {given.pattern!r}"
        )
    return str(found)


def _show(given: argparse.Namespace) -> str:
    name = recipes.find(given.name)
    recipe = recipes.RECIPES[name]
    lines = [
        f"{name}: {recipe.heading}",
        "",
        *_paper(recipe),
        *_wrapped(f"Use: {recipe.use}"),
        f"Gradients a train step: {recipe.cost}",
        f"Rule: {recipe.confirmation}",
        *_wrapped(f"Numbers: {recipe.numbers}" if recipe.numbers else ""),
        "",
        *_code(name, recipe),
        "",
        *_wrapped(*description.of_step(Method(**recipe.arguments))),
        *_rules(recipe),
    ]
    return "\n".join(lines)


def _paper(recipe: recipes.Recipe) -> list[str]:
    if recipe.paper is None:
        return []
    number = recipe.source
    is_arxiv = number[0].isdigit()
    source = f"https://arxiv.org/abs/{number}" if is_arxiv else number
    return _wrapped(f"Paper: {recipe.paper.citation()}, {source}")


def _code(name: str, recipe: recipes.Recipe) -> list[str]:
    modules = {
        type(value).__module__.rpartition(".")[2]
        for value in recipe.arguments.values()
        if isinstance(value, Part)
    }
    return [
        f"    from keras_sam import {', '.join(['SAM', *sorted(modules)])}",
        "",
        f"    sam = {recipe.call()}",
        f'    sam = SAM.from_recipe("{name}", model)  # The same.',
    ]


def _rules(recipe: recipes.Recipe) -> list[str]:
    """Returns the first paragraph of the docstring of each part."""
    lines = []
    for value in recipe.arguments.values():
        if isinstance(value, Part):
            first = (inspect.getdoc(type(value)) or "").partition("\n\n")[0]
            lines.append(f"{type(value).__name__}: {' '.join(first.split())}")
    return ["", *_wrapped(*lines)] if lines else []


def _wrapped(*lines: str) -> list[str]:
    return [
        wrapped
        for line in lines
        for wrapped in textwrap.wrap(
            line,
            78,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
