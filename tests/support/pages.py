"""The code in the pages of the documentation, as programs.

The Python blocks of a page run one after the other, with the names of the
blocks before. A comment above a block may say otherwise:

    <!-- a program: why -->      the block runs alone, in a process of its own
    <!-- not run: why -->        the block needs what a test does not have
    <!-- after: docs/x.md -->    the blocks of that page come first
    <!-- needs: package -->      the block runs if the package is there
"""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- (a program|not run|after|needs): ([^>]+) -->\n+)?"
    r"^```python\n(.*?)^```",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A Python block of a page.

    Attributes:
        kind: String, "", "a program", "not run", "after" or "needs".
        note: String, why it is of that kind, the page to come first, or the
            package.
        code: String.
    """

    kind: str
    note: str
    code: str


def names():
    """Returns the pages of docs/, as paths from the root."""
    pages = (ROOT / "docs").rglob("*.md")
    return sorted(page.relative_to(ROOT).as_posix() for page in pages)


def text(page):
    """Returns the text of a page, given by its path from the root."""
    return (ROOT / page).read_text()


def blocks(page):
    """Returns the Python blocks of a page."""
    return [Block(*found) for found in _BLOCK.findall(text(page))]


def run(page):
    """Runs the blocks of a page in the present folder; returns their names."""
    defined = {"__name__": "page"}
    for block in blocks(page):
        if block.kind == "after":
            defined.update(run(block.note))
        if block.kind == "needs" and not importlib.util.find_spec(block.note):
            continue
        if block.kind == "a program":
            program(block.code)
        elif block.kind != "not run":
            exec(block.code, defined)
    return defined


def program(code):
    """Runs code in a process of its own, in the present folder."""
    pathlib.Path("program.py").write_text(code)
    result = subprocess.run(
        [sys.executable, "program.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
