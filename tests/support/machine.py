"""The machine that runs the tests."""

import pathlib
import platform
import re


def processor():
    """Returns the name of the processor, on which roundings depend."""
    known = pathlib.Path("/proc/cpuinfo")
    text = known.read_text() if known.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()
