"""What `benchmarks.gpu` does if libraries fail or time is short."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

from benchmarks.gpu import comparing
from benchmarks.gpu import contest
from benchmarks.gpu import racing
from benchmarks.gpu import record
from benchmarks.gpu import report
from benchmarks.peers import worker

LONG = 60  # Seconds: more than any of this takes.


@pytest.fixture
def library(tmp_path):
    """Returns a function that makes libraries, and closes them at the end."""
    np.savez(tmp_path / "batch.npz", x=np.zeros(1), y=np.zeros(1))
    made = []

    def make(*methods, name=report.OURS, network="cnn", python=sys.executable):
        arguments = ["float32", network, str(tmp_path / "batch.npz")]
        command = python, "tests.jax.pretending", arguments
        found = racing.Library(name, network, "float32", methods, command)
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


def prepared(made, seconds=LONG):
    now = time.monotonic()
    made.prepare({}, now + seconds, now + seconds)
    return made


def raced(*libraries, seconds=LONG, rounds=2, note=lambda: None):
    end = time.monotonic() + seconds
    contest.race(list(libraries), end, 0.01, rounds, note)
    return time.monotonic() - end


def test_methods_that_fail_leave_the_others(library):
    """The process is started again, without what it ended with."""
    ours = prepared(library("plain", "memory", "crash", "n=1"))
    assert ours.ready == ["plain", "n=1"]
    assert ours.failures["memory"] == (
        "MemoryError: RESOURCE_EXHAUSTED: no 4 TB ... of 8 MB"
    )
    assert ours.failures["crash"].startswith("ended with -6")
    raced(ours)
    assert len(ours.times["plain"]) == len(ours.times["n=1"]) == 2
    assert ours.first["n=1"] > 2  # With what it compiled for.
    lines = report.failure_lines([ours])
    assert [line.split(":")[0] for line in lines] == [
        "cnn, float32, keras_sam, memory",
        "cnn, float32, keras_sam, crash",
    ]


def test_a_method_that_hangs(library):
    ours = prepared(library("plain", "hang", "n=1"), seconds=3)
    assert ours.failures["hang"].startswith("no answer in")
    assert ours.failures["n=1"] == racing.NO_TIME
    assert not ours.ready


def test_nothing_is_begun_too_late(library):
    """What is begun has more time to end."""
    ours, now = library("plain", "slow", "n=8"), time.monotonic()
    ours.prepare({}, now + 5, now + LONG)
    assert ours.ready == ["plain", "slow"]
    assert ours.failures == {"n=8": racing.NO_TIME}


def test_an_interpreter_that_is_missing(library):
    peer = prepared(library("plain", "SAM", python="missing/python"))
    (line,) = report.failure_lines([peer])
    assert "plain, SAM: there is no missing/python" in line


def test_a_process_that_ends_in_a_race(library):
    """What was measured before stays, as do all other libraries."""
    ours = prepared(library("plain", "crash-late", "n=1"))
    peer = prepared(library("plain", name="optax"))
    raced(ours, peer)
    assert ours.median("crash-late") is None
    assert ours.failures["crash-late"].startswith("ended with -6")
    assert ours.failures["plain"] == "its process has ended"
    assert len(ours.times["plain"]) == 1
    assert len(peer.times["plain"]) == 2
    (line,) = (x for x in report.target_lines([ours, peer]) if "optax" in x)
    assert line.startswith("cnn, float32: ") and "measured" not in line


def test_each_network_has_its_share_of_the_time(library):
    first, second = (
        prepared(library("plain", network=network)) for network in ("a", "b")
    )
    late = raced(first, second, seconds=2, rounds=10**6)
    assert late < 1
    assert 0.2 < len(first.times["plain"]) / len(second.times["plain"]) < 5
    assert first.facts["plain"]["taken"] > 2


def test_without_time_all_rows_are_named(library):
    ours = prepared(library("plain", "n=1"))
    raced(ours, seconds=0)
    assert report.failure_lines([ours]) == [
        "cnn, float32, keras_sam, plain, n=1: not reached"
    ]
    assert all("not measured" in line for line in report.target_lines([ours]))


def test_files_are_there_from_the_first_number(library, tmp_path):
    path = tmp_path / "new/check.json"
    recipes = comparing.Recipes(tmp_path / "missing.npz", 2)
    ours = library("plain", "memory", "n=1")
    files = record.Record(path, "a card", [ours], recipes)
    seen = []

    def note():
        files.write()
        seen.append(json.loads(path.read_text()))

    now = time.monotonic()
    ours.prepare({}, now + LONG, now + LONG, note)
    raced(ours, note=note)
    assert list(seen[0]["libraries"][0]["facts"]) == ["plain"]
    assert [len(x["libraries"][0]["times"]) for x in seen[-2:]] == [2, 2]
    assert not seen[-1]["finished"] and seen[-1]["card"] == "a card"
    table = path.with_suffix(".md").read_text()
    assert "| cnn | float32 | keras_sam | memory |  |" in table
    assert "it has not ended" in table and "pretended 1.0" in table
    text = files.write(finished=True)
    assert json.loads(path.read_text())["finished"]
    assert path.with_suffix(".md").read_text() == text
    assert "missing.npz: run `make gpu-bundle`" in text


def test_recipes_are_compared_in_time(tmp_path):
    np.savez(tmp_path / "expected.npz", sgd=np.zeros((1, 1)), sam=np.zeros(1))
    recipes = comparing.Recipes(tmp_path / "expected.npz", 2)
    recipes.compare({}, time.monotonic())
    assert report.recipe_lines(recipes) == [
        "not measured to the end: recipes equal the float64 oracle: 0 of 2",
        "not compared: sgd, sam",
        racing.NO_TIME,
    ]


def test_a_process_compares_recipes(tmp_path):
    np.savez(tmp_path / "expected.npz", sgd=np.full((1, 1), 1e3))
    recipes = comparing.Recipes(tmp_path / "expected.npz", 3)
    recipes.compare({}, time.monotonic() + 10 * LONG)
    (found,) = recipes.compared
    assert found["recipe"] == "sgd" and 900 < found["difference"] < 1100
    assert report.recipe_lines(recipes)[0].startswith("missed: ")


def test_errors_are_one_line():
    assert worker.described(ValueError("a")) == "ValueError: a"
    assert worker.described(KeyError()) == "KeyError: "
    noted = RuntimeError("first\nsecond\n\nlast\n")
    noted.add_note("For simplicity, frames were removed")
    assert worker.described(noted) == "RuntimeError: first ... last"


def test_the_script_needs_a_gpu():
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu"],
        env={**os.environ, "PATH": "", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "use --small" in ended.stderr


def test_the_script_ends_in_time(tmp_path):
    """Ten seconds are too few for anything, and it says so."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--small"]
    begun = time.monotonic()
    ended = subprocess.run(
        [*command, "--seconds=10", f"--output={tmp_path / 'check.json'}"],
        capture_output=True,
        text=True,
    )
    assert time.monotonic() - begun < LONG
    found = json.loads((tmp_path / "check.json").read_text())
    assert found["finished"] and len(found["libraries"]) == 8
    assert "float32, PyTorch, plain, SAM: " in ended.stdout
    if not any(library["times"] for library in found["libraries"]):
        assert ended.returncode == 1
        assert ended.stderr.endswith("Nothing was measured.\n")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
