"""`make check` finds tests of each module, and the nearest first."""

import sys

import pytest

from tools import build_files
from tools import changed_tests

GRAPH = changed_tests.Graph()
TEXTS = build_files.Sources().texts
LIBRARY = [
    path
    for path, text in TEXTS.items()
    if text and path.startswith("keras_sam/")
]


@pytest.mark.parametrize("source", LIBRARY)
def test_a_module_has_tests(source):
    slow = changed_tests.SLOW + changed_tests.NEVER
    assert not all(test.startswith(slow) for test in GRAPH.tests(source))


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("keras_sam/_algorithm/splits.py", "algorithm/splits_test.py"),
        ("keras_sam/_backend/tensorflow/rows.py", "backend/rows_test.py"),
        ("keras_sam/directions/_random.py", "directions/directions_test.py"),
        ("keras_sam/model.py", "model_test.py"),
        ("examples/study/table.py", "examples/study_test.py"),
    ],
)
def test_the_nearest_test(source, test):
    assert GRAPH.tests(source)[0] == f"tests/{test}"


def test_what_is_slow_is_left_out_unless_it_changed():
    slow = "tests/contracts/parity_test.py"
    process = "tests/processes/workers_test.py"
    run, out = changed_tests.chosen(["keras_sam/__init__.py"], GRAPH)
    assert {slow, process} <= {*out}.difference(run)
    run, out = changed_tests.chosen([slow, process], GRAPH)
    assert slow in run and process in out


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
