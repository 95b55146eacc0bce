"""Writes the command lines into docs/reference/cli.md.

    make commands

The page has a section for each program: what its help says, and its flags. Text
above the line `MARK` is by hand and stays.
"""

import argparse
import pathlib
import re

from keras_sam._command_line import parser
from tools import catalogue
from tools import program_flags

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/cli.md"
MARK = "<!-- Written by make commands. -->"
# Names for `python -m`: the module with the docstring, the one with `GROUPS`.
PROGRAMS = {
    "examples.train": ("examples.train", "examples.options"),
    "examples.landscape": 2 * ("examples.landscape.__main__",),
    "examples.launch": 2 * ("examples.launch",),
}
# It has flags of the names that flags of the others have.
APART = "examples.landscape"


def program(name):
    """Returns the section of a program of the examples, in Markdown."""
    read = program_flags.read_apart if name == APART else program_flags.read
    about, groups = read(*PROGRAMS[name])
    blocks = [f"## `python -m {name}`", about]
    for title, rows in groups.items():
        blocks += [f"**{title}**", table("flag", rows)]
    return "\n\n".join(blocks)


def command(one):
    """Returns the section of a command of the library, in Markdown.

    Args:
        one: `argparse.ArgumentParser` of the command.
    """
    given = [action for action in one._actions if action.dest != "help"]
    places = [action for action in given if not action.option_strings]
    blocks = [
        f"## `{' '.join([one.prog, *map(written, places)])}`",
        catalogue.wrapped(one.description),
        table("argument", [(written(a), meaning(a)) for a in given]),
    ]
    if one.epilog:
        blocks.append(f"```\n{one.epilog.strip()}\n```")
    return "\n\n".join(blocks)


def written(action):
    """Returns how to write an argument of a command."""
    name = action.metavar or action.dest.upper()
    if action.option_strings:
        flag = action.option_strings[-1]
        return flag if action.nargs == 0 else f"{flag}={name}"
    return {"?": f"[{name}]", "+": f"{name} ..."}.get(action.nargs, name)


def meaning(action):
    """Returns the help of an argument of a command, as a sentence."""
    text = action.help % {"default": action.default}
    return f"{text[0].upper()}{text[1:]}."


def table(head, rows):
    """Returns rows of code and text as a table, in Markdown."""
    lines = [f"| {head} | meaning |", "|---|---|"]
    for form, text in rows:
        plain = re.sub(r"([*<|])", r"\\\1", " ".join(text.split()))
        lines.append(f"| `{form}` | {plain} |")
    return "\n".join(lines)


def commands(page):
    """Returns docs/reference/cli.md with the command lines of today."""
    by_hand, _, _ = page.partition(MARK)
    (found,) = [
        action
        for action in parser.build()._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    sections = [*map(command, found.choices.values()), *map(program, PROGRAMS)]
    return "\n\n".join([f"{by_hand}{MARK}", *sections]) + "\n"


def main():
    PAGE.write_text(commands(PAGE.read_text()))


if __name__ == "__main__":
    main()
