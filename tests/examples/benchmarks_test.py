"""The benchmarks run, here with as little work as can be."""

import json
import re
import sys

import pytest

from tests.support import testing  # isort: skip

from benchmarks import runs
from benchmarks import targets
from benchmarks.peers import process
from benchmarks.peers import table
from tests.support import processes


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


def test_step():
    """One of the processes of `benchmarks.step`."""
    work = {"network": "mlp", "mode": "graph", "method": "n=1"}
    process = processes.start(
        "-m", "benchmarks.step", f"--worker={json.dumps(work)}"
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    found = json.loads(output.splitlines()[-1])
    assert found["weights"] == 4 * 269_322
    assert found["memory"] > found["weights"]
    assert found["program"] == 0  # XLA's.


def test_targets():
    method = {"first": 2.0, "memory": 100, "program": 100, "weights": 10}
    methods = {
        **{f"n={n}": {**method, "ratio": n + 1} for n in (1, 2, 3, 5)},
        "n=8": {**method, "ratio": 9.2, "first": 4.0},
        "n=8 mean": {**method, "program": 111},
    }
    found = targets.lines(
        {
            ("mlp", "jax", "xla"): methods,
            ("wrn-16-4", "jax", ""): methods,
        }
    )
    missed = [line for line in found if "missed" in line]
    assert len(found) == 9 + 10
    small, large = "mlp, jax, xla: missed", "wrn-16-4, jax, : missed"
    first = "(b) first step, n=8 to n=1: 2.000, at most 1.50"
    mean = "(c) program, `Mean` over `Last`, gradients: 1.100, at most 1.00"
    assert missed == [
        f"{small}: {first}",
        f"{small}: {mean}",
        f"{large}: (a) n=8, a step to 9 plain ones: 1.022, at most 1.00",
        f"{large}: {first}",
        f"{large}: {mean}",
    ]


def test_ratios_of_optax():
    def peer(name, *sam):
        times = {"plain": [1.0, 1.0, 1.0], "SAM": list(sam)}
        return process.Peer(name, times=times)

    peers = [
        peer(table.OURS, 1.5, 1.6, 1.7),
        peer(table.OURS_ON_JAX, 1.9, 2.0, 2.1),
        peer(table.OPTAX, 1.7, 1.8, 1.9),
    ]
    *_, line = table.targets({"cnn": peers}).splitlines()
    assert "on JAX" in line and "missed (cnn: JAX 1.80, ours 2.00)" in line
    *_, line = table.targets({"cnn": peers[:1] + peers[2:]}).splitlines()
    assert line.endswith("not measured")


def test_runs():
    x, y = testing.data()
    one, other = (
        runs.Run(runs.compiled(testing.dense_net(), False), (x, y))
        for _ in range(2)
    )
    for run in (one, other):
        for _ in range(3):
            run.round(0.0, multiple=2)
    # The first step, then rounds of two.
    assert int(one.model.optimizer.iterations) == 1 + 3 * 2
    other.seconds, one.seconds = [9.0, 1.0, 2.0], [9.0, 3.0, 2.0]
    assert other.median == 1.5
    assert runs.ratios(one, other) == [3.0, 1.0]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
