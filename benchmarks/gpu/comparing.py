"""Compares every recipe with numbers of the oracle, in several processes."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

from benchmarks.gpu import racing


class Recipes:
    """What is known of the recipes.

    Args:
        path: Path of the oracle's numbers, an .npz file.
        number: Number of processes.

    Attributes:
        compared: List of dicts of a `recipe`, its `difference`, and its
            `tolerance`.
        errors: List of strings, why processes ended early.
        names: List of the recipes to compare.
    """

    def __init__(self, path, number):
        self._path = path
        self.compared, self.errors, self.names = [], [], []
        if pathlib.Path(path).exists():
            with np.load(path) as known:
                self.names = known.files
        else:
            self.errors.append(f"there is no {path}: run `make gpu-bundle`")
        self._parts = [self.names[i::number] for i in range(number)]

    def compare(self, environment, until, note=lambda: None):
        """Compares the recipes.

        Args:
            environment: Dict of environment variables.
            until: When this must have ended, in `time.monotonic()`.
            note: Function that is called where a process has ended.
        """
        threads = [
            threading.Thread(
                target=self._compare, args=(part, environment, until, note)
            )
            for part in self._parts
            if part
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _compare(self, names, environment, until, note):
        command = [
            *("nice", "-n", "5"),  # What compiles is on its way for longer.
            *(sys.executable, "-m", "tests.jax.recipes_on_device"),
            f"--check={self._path}",
            *(f"--recipe={name}" for name in names),
        ]
        # A file: of a process that is ended in time a pipe may lose something.
        with tempfile.TemporaryFile("w+") as output:
            try:
                process = subprocess.run(
                    command,
                    env={**os.environ, **environment},
                    stdout=output,
                    stderr=subprocess.PIPE,
                    text=True,
                    timeout=max(0, until - time.monotonic()),
                )
                if process.returncode:
                    last = process.stderr.strip().rpartition("\n")[2]
                    self.errors.append(
                        f"ended with {process.returncode}: {last}"
                    )
            except subprocess.TimeoutExpired:
                self.errors.append(racing.NO_TIME)
            output.seek(0)
            lines = [line for line in output if line.endswith("}\n")]
        self.compared += map(json.loads, lines)
        note()
