"""The benchmarks run, here with as little work as can be."""

import re
import sys

import pytest

from tests import processes


def test_replicas():
    process = processes.start(
        *("-m", "benchmarks.replicas", "--model=mlp", "--layout=2 replicas"),
        *("--batch_size=2", "--rounds=1"),
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    number = r"-?\d+(\.\d+)?%?"
    for method in ("plain", "n=0", "n=1", "n=3"):
        row = rf"\| 2 replicas \| {method} (\| {number} ){{3}}\|"
        assert re.search(row, output), output


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
