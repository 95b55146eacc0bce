"""The files of `benchmarks.gpu`, written again whenever something is known."""

import dataclasses
import json
import os
import pathlib
import threading
import time

from benchmarks.gpu import report


class Record:
    """Keeps a JSON with all numbers, and a text with the table and the targets.

    A check that is cut off leaves both as they were last.

    Args:
        path: Path of the JSON; the text is beside it, and ends in ".md".
        card: String, the device.
        libraries: List of `racing.Library`.
        recipes: `comparing.Recipes`.
    """

    def __init__(self, path, card, libraries, recipes):
        self._path = pathlib.Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._card = card
        self._libraries = libraries
        self._recipes = recipes
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def write(self, finished=False):
        """Writes both files, and returns the text. Any thread may do this.

        Args:
            finished: Bool, whether the check is at its end.
        """
        with self._lock:
            seconds = time.monotonic() - self._start
            versions = dict.fromkeys(x.versions for x in self._libraries)
            lines = [
                *report.recipe_lines(self._recipes),
                *report.target_lines(self._libraries),
            ]
            state = "in all" if finished else "so far: it has not ended"
            text = "\n".join(
                [
                    f"{'; '.join([self._card, *filter(None, versions)])}.",
                    f"\n{report.table(self._libraries)}\n",
                    *report.failure_lines(self._libraries),
                    "",
                    *lines,
                    f"\n{seconds:.0f} s {state}.\n",
                ]
            )
            numbers = {
                "card": self._card,
                "seconds": seconds,
                "finished": finished,
                "targets": lines,
                "recipes": list(self._recipes.compared),
                "libraries": [_fields(library) for library in self._libraries],
            }
            _replace(self._path, json.dumps(numbers, indent=1))
            _replace(self._path.with_suffix(".md"), text)
            return text


def _fields(library):
    """Returns the fields of a library, copied, since other threads add some."""
    names = [field.name for field in dataclasses.fields(library)]
    values = {name: getattr(library, name) for name in names}
    return {
        name: value.copy() if isinstance(value, dict) else value
        for name, value in values.items()
        if name != "command"
    }


def _replace(path, text):
    """Writes a file that at any time holds the old text or the new one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)
