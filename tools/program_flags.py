"""What a program of the examples says of itself, and its flags."""

import importlib
import json
import pathlib
import subprocess
import sys

from examples import usage

ROOT = pathlib.Path(__file__).parents[1]


def read(module, groups):
    """Returns what the help of a program tells.

    Args:
        module: String, the module whose docstring the help shows.
        groups: String, the module that has the flags in `GROUPS`.

    Returns:
        List: the docstring, and {title of a group: [form and meaning of each
        flag]}.
    """
    about = importlib.import_module(module).__doc__.strip()
    found = importlib.import_module(groups).GROUPS
    rows = {title: usage.rows(names) for title, names in found.items()}
    return [about, rows]


def read_apart(*modules):
    """Returns the same, from a process of its own."""
    line = [sys.executable, "-m", "tools.program_flags", *modules]
    text = subprocess.check_output(line, cwd=ROOT, text=True)
    return json.loads(text.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(read(*sys.argv[1:])))
