"""The pieces of `benchmarks.gpu`, on a CPU."""

import json
import subprocess
import sys
import time
import zipfile

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import numpy as np

from benchmarks import networks
from benchmarks.gpu import comparing
from benchmarks.gpu import ours
from benchmarks.gpu import racing
from benchmarks.gpu import report
from benchmarks.gpu import unpack
from keras_sam import recipes
from tests.contracts import methods_test
from tests.jax import recipes_on_device
from tests.support import testing


def test_a_step_of_ours():
    network = "wrn-10-1"
    x, y = networks.ALL[network].batch()
    facts, run = ours.start(network, "n=2-mean", x, y, "bfloat16")
    run(2)
    model = networks.ALL[network].build()
    assert facts["parameters"] == sum(
        int(np.prod(v.shape)) for v in model.trainable_variables
    )
    assert facts["program"] > 4 * facts["parameters"]
    assert 0 < facts["loss"] < 10
    case = ours.case_of(network, "n=2-mean", "bfloat16")
    assert case.gradients == 3 and case.mean
    assert not ours.case_of(network, "plain", "float32").steps


def test_unknown_method():
    with pytest.raises(ValueError, match="Received: 'SAM'"):
        ours.case_of("cnn", "SAM", "float32")


@pytest.mark.parametrize("name", ["sam", "r_sam"])
def test_recipes_are_compared(name):
    with testing.float64():
        points = recipes_on_device.expected(name)
        assert len(points) == methods_test.STEPS
        assert recipes_on_device.difference(name, points) < 1e-12
        wrong = recipes_on_device.difference(name, points + 1e-3)
    assert wrong == pytest.approx(1e-3)


def test_every_recipe_can_be_compared():
    assert set(recipes.RECIPES) <= set(methods_test.CASES)


def test_lines_of_recipes(tmp_path):
    right = {"recipe": "a", "difference": 1e-12, "tolerance": 1e-10}
    wrong = {"recipe": "b", "difference": float("nan"), "tolerance": 1e-10}
    np.savez(tmp_path / "expected.npz", a=np.zeros(1), b=np.zeros(1))
    compared = comparing.Recipes(tmp_path / "expected.npz", 1)

    def first(*found):
        compared.compared = list(found)
        return report.recipe_lines(compared)[0].partition(":")[0]

    assert first(right, {**wrong, "difference": 0.0}) == "met"
    assert first(right, wrong) == "missed"
    assert first(wrong) == "missed"
    assert first(right) == "not measured to the end"
    assert first() == "not measured to the end"


def library(name, methods, **seconds):
    found = racing.Library(name, "cnn", "float32", methods, ())
    found.times = {m: list(s) for m, s in seconds["times"].items()}
    found.facts = seconds.get("facts", {})
    return found


def test_targets():
    facts = {
        "n=1": {"compile_processor": 10.0, "program": 100, "parameters": 5},
        "n=8": {"compile_processor": 10.5, "program": 110},
    }
    methods = ("plain", "n=1", "n=8")
    times = {"plain": [1.0], "n=1": [2.0, 2.1, 2.2], "n=8": [8.9]}
    raced = [
        library(report.OURS, methods, times=times, facts=facts),
        library("PyTorch", ("SAM", "SAM-compiled"), times={"SAM": [1.9]}),
        library("optax", ("SAM",), times={"SAM": [1.9, 2.0, 2.1]}),
    ]
    lines = [
        line.removeprefix("cnn, float32: ")
        for line in report.target_lines(raced)
    ]
    assert [line.partition(":")[0] for line in lines] == [
        *("missed", "met"),  # A step.
        *("met", "missed"),  # Compiler, memory.
        *("missed", "not measured", "missed"),  # The peers.
    ]
    spread = "; the fastest turn met it against the slowest"
    assert [line.endswith(spread) for line in lines] == [
        *(True, False, False, False),
        *(False, False, True),
    ]
    assert lines[3].endswith("; 0.50 times the weights in float32 more")
    row = "| cnn | float32 | keras_sam | n=8 | 8900.00 | 8.900 |"
    assert row in report.table(raced)


def test_a_library_of_ours(tmp_path):
    network = "vit-tiny"
    x, y = networks.ALL[network].batch()
    np.savez(tmp_path / "batch.npz", x=x, y=y)
    arguments = ["float32", network, str(tmp_path / "batch.npz")]
    command = sys.executable, "benchmarks.gpu.ours", arguments
    late = time.monotonic() + 1e6
    raced = racing.Library(report.OURS, network, "float32", ("n=1",), command)
    raced.prepare({}, late, late)
    raced.warm("n=1", late)
    assert raced.first["n=1"] > raced.facts["n=1"]["compile"]
    raced.turn("n=1", 0, late)
    assert raced.median("n=1") > 0
    raced.close()


def test_wheels_are_unpacked(tmp_path):
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    wheels.mkdir()
    site.mkdir()
    (site / "old.py").touch()
    with zipfile.ZipFile(wheels / "a-1.whl", "w") as wheel:
        wheel.writestr("a/__init__.py", "number = 1")
    assert unpack.unpack(wheels, site) == ["a-1.whl"]
    assert (site / "a/__init__.py").read_text() == "number = 1"
    assert not (site / "old.py").exists()


def test_wheels_of_another_python():
    names = [
        *("a-1-py3-none-any.whl", "b-1-cp39-abi3-linux_x86_64.whl"),
        *("c-1-cp312-cp312-linux_x86_64.whl", "d-1-cp31-cp31-linux.whl"),
    ]
    assert unpack.misfits(names, (3, 12)) == names[3:]
    assert unpack.misfits(names, (3, 1)) == [names[2]]


def test_unpacking_needs_python_alone():
    code = (
        "import sys, json; from benchmarks.gpu import unpack;"
        "print(json.dumps([m for m in ('absl', 'keras', 'numpy')"
        " if m in sys.modules]))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(output) == []


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
