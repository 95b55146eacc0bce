"""The code in the pages of the documentation, as programs.

The Python blocks of a page run one after the other, with the names of the
blocks before. A comment above a block may say otherwise:

    <!-- a program: why -->      the block runs alone, in a process of its own
    <!-- not run: why -->        the block needs what a test does not have
    <!-- after: docs/x.md -->    the blocks of that page come first
    <!-- needs: package -->      the block runs if the package is there

A block in a tab (`=== "TensorFlow"`) is indented by four spaces. In tab "JAX"
it runs alone, in a process and a folder of its own on JAX, if JAX is there.
"""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^(?: {4})?<!-- (a program|not run|after|needs): ([^>]+) -->\n+)?"
    r"^(?P<indent>(?: {4})?)```python\n(?P<code>.*?)^(?P=indent)```",
    re.DOTALL | re.MULTILINE,
)
_TAB = re.compile(r'^=== "(.+)"$|^\S', re.MULTILINE)


class Block(NamedTuple):
    """A Python block of a page.

    Attributes:
        kind: String, "", "a program", "JAX", "not run", "after" or "needs".
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
    return [_block(text(page), found) for found in _BLOCK.finditer(text(page))]


def _block(page, found):
    """Returns the `Block` of a match of `_BLOCK` in the text of a page."""
    kind, note = found[1] or "", found[2] or ""
    if found["indent"]:
        *_, last = _TAB.finditer(page, 0, found.start())
        if last[1] == "JAX" and kind in ("", "a program"):
            kind = "JAX"
    return Block(kind, note, textwrap.dedent(found["code"]))


def run(page):
    """Runs the blocks of a page in the present folder; returns their names."""
    defined = {"__name__": "page"}
    for block in blocks(page):
        if block.kind == "after":
            defined.update(run(block.note))
        if block.kind == "needs" and not importlib.util.find_spec(block.note):
            continue
        if block.kind == "JAX":
            if importlib.util.find_spec("jax"):
                program(block.code, "jax", KERAS_BACKEND="jax")
        elif block.kind == "a program":
            program(block.code)
        elif block.kind != "not run":
            exec(block.code, defined)
    return defined


def program(code, folder=".", **environment):
    """Runs code in a process of its own, in a folder of the present one."""
    path = pathlib.Path(folder, "program.py")
    path.parent.mkdir(exist_ok=True)
    path.write_text(code)
    result = subprocess.run(
        [sys.executable, path.name],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
