"""The benchmarks run, here with as little work as can be."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]


def test_replicas():
    command = [sys.executable, "-m", "benchmarks.replicas", "--model=mlp"]
    command += ["--layout=2 replicas", "--batch_size=2", "--rounds=1"]
    output = subprocess.run(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    number = r"-?\d+(\.\d+)?%?"
    for method in ("plain", "n=0", "n=1", "n=3"):
        row = rf"\| 2 replicas \| {method} (\| {number} ){{3}}\|"
        assert re.search(row, output), output


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
