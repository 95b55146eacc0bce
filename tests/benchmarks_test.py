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


def test_peers():
    """Ours alone, since no other is installed."""
    process = processes.start(
        *("-m", "benchmarks.peers", "--model=mlp", "--peer=keras_sam"),
        *("--rounds=1", "--seconds=0"),
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    number = r"\d+\.\d+"
    cell = rf"{number} \({number} to {number}\)"
    row = rf"\| keras_sam \| 269,322 (\| {cell} ){{3}}\| 1\.00 \("
    assert re.search(row, output), output
    assert "(d) our SAM step no slower than a peer's: not measured" in output


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
