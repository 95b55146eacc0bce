"""docs/reference/cli.md is what `make commands` writes."""

import argparse
import re
import sys

import pytest

from keras_sam._command_line import parser
from tests.support import testing  # noqa: F401  Before anything touches devices.
from tools import commands

PAGE = commands.PAGE.read_text()


def test_the_page_is_what_the_tool_writes():
    assert commands.commands(PAGE) == PAGE, "Run `make commands`"


def test_text_by_hand_stays(monkeypatch):
    monkeypatch.setattr(commands, "PROGRAMS", {})
    by_hand, mark, _ = PAGE.partition(commands.MARK)
    assert mark and len(by_hand) > 500
    page = commands.commands(f"Mine.\n\n{by_hand}{mark}\n\n## Old\n")
    assert page.startswith(f"Mine.\n\n{by_hand}{mark}\n\n## `python -m keras_")


def test_all_commands_of_the_library_are_there():
    """As its help lists them."""
    _, _, text = parser.build().format_help().partition("COMMAND\n")
    listed = re.findall(r"^    (\w+)", text.partition("\n\n")[0], re.MULTILINE)
    found = re.findall(r"^## `python -m keras_sam (\w+)", PAGE, re.MULTILINE)
    assert found == listed and len(found) > 2


def test_how_arguments_are_written():
    one = argparse.ArgumentParser(prog="one", description="Does.")
    one.add_argument("place", help="a place", nargs="?")
    one.add_argument("many", help="names", nargs="+", metavar="NAME")
    one.add_argument("-n", "--number", type=int, default=3, help="%(default)s")
    one.add_argument("--switch", action="store_true", help="a * b | <c>")
    assert commands.command(one).splitlines() == [
        *("## `one [PLACE] NAME ...`", "", "Does.", ""),
        *("| argument | meaning |", "|---|---|"),
        "| `[PLACE]` | A place. |",
        "| `NAME ...` | Names. |",
        "| `--number=NUMBER` | 3. |",
        r"| `--switch` | A \* b \| \<c>. |",
    ]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
