"""Tests of `benchmarks.cheaper`: steps, resuming, tables, the rule."""

import csv
import pathlib
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from tests.support import testing  # noqa: F401  # isort: skip

import benchmarks
from benchmarks.cheaper import __main__ as cheaper
from benchmarks.cheaper import costs
from benchmarks.cheaper import grid
from benchmarks.cheaper import report
from benchmarks.cheaper import store
from benchmarks.cheaper import training
from examples import pool
from keras_sam import cadences
from tests.support import pools

DOCUMENT = (
    pathlib.Path(benchmarks.__file__).parents[1] / "docs" / "cheaper.md"
).read_text()
COSTS = {
    method: costs.Cost(climb=2.0, rest=1.0, spread=0.1) for method in grid.ARMS
} | {grid.SGD: costs.Cost(climb=1.0, rest=1.0, spread=0.0)}


# Which steps fit.


def test_steps_fill_the_time_of_sam():
    found = costs.steps(COSTS, dict.fromkeys(grid.cells(), 0.25))
    assert found["digits", 0.3, grid.SAM] == 330
    assert found["digits", 0.3, grid.SGD] == 660
    assert found["digits", 0.3, "late phase"] == 510  # 660 / 1.3
    assert found["digits", 0.3, "every 5th step"] == 550  # 660 / 1.2
    assert found["digits", 0.3, "SS-SAM"] == 440  # 660 / 1.5
    assert found["digits", 0.3, "AE-SAM"] == 530  # 660 / 1.25
    assert found["mnist1d", 0.0, grid.SGD] == 620
    half = costs.steps(COSTS, dict.fromkeys(grid.cells(), 0.25), factor=0.5)
    assert half["digits", 0.0, grid.SGD] == 330


def test_time_of_a_training():
    assert COSTS["late phase"].time(100, 30) == pytest.approx(130)


@pytest.mark.parametrize("method", grid.ARMS)
def test_a_method_has_its_arguments(method):
    arm = grid.ARMS[method]
    arguments = arm.arguments(0.1, 20)
    steps = getattr(arguments.get("cadence"), "steps", 20)
    assert steps == 20
    assert arguments.get("rho", 0.1) == 0.1
    rate = arm.rate(20)
    assert float(rate(20)) == pytest.approx(0.0, abs=1e-7)
    # The first step whose rate is lower than at the start.
    start = cadences.LatePhase(20, grid.FRACTION).start if arm.late else 0
    lower = [t for t in range(20) if float(rate(t)) < float(rate(0))]
    assert lower == list(range(start + 1, 20))


@pytest.mark.parametrize("method", grid.ARMS)
def test_what_is_timed_always_or_never_climbs(method):
    always, never = (costs.forced(method, index) for index in (0, 1))
    assert ("cadence" in always) == ("cadence" in never)
    assert (always == never) == ("cadence" not in always)


def test_runs_are_paired():
    steps = costs.steps(COSTS, dict.fromkeys(grid.cells(), 0.5))
    planned = grid.plan(list(grid.ARMS), 3, steps)
    assert len({run.key for run in planned}) == len(planned)
    assert len({run.digest for run in planned}) == len(planned)
    points = {
        seed: {run.key[:-1] for run in planned if run.seed == seed}
        for seed in range(3)
    }
    assert points[0] == points[1] == points[2]


# The whole of it, with one small task.


@pytest.fixture
def small(monkeypatch):
    task = grid.Task("mlp", 20, (0.1,), {})
    monkeypatch.setattr(grid, "TASKS", {"digits": task})
    monkeypatch.setattr(grid, "LABEL_NOISES", (0.3,))
    monkeypatch.setattr(pool, "executor", pools.Here)


def run(folder, *arguments):
    with flagsaver.flagsaver():
        flags.FLAGS(
            [
                "cheaper",
                *(f"--output_dir={folder}", f"--data_dir={folder}/data"),
                *("--arm=SGD", "--arm=SAM", "--arm=AE-SAM", "--trainings=2"),
                *("--network=mlp", "--rounds=2", "--seconds=0"),
                *(f"--document={folder}/page.md", "--budget=0.5", *arguments),
            ]
        )
        return cheaper.main(["cheaper"])


def test_it_runs_resumes_and_refuses(small, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(DOCUMENT)
    assert run(tmp_path) == 0
    results = tmp_path / "results.csv"
    first, text = results.read_text(), page.read_text()
    rows = store.read(results, store.Row)
    assert len(rows) == 2 * 3
    assert {row.steps for row in rows if row.method == "SAM"} == {10}
    assert {row.climbs for row in rows if row.method == "SAM"} == {10}
    assert {row.climbs for row in rows if row.method == "SGD"} == {0}
    assert "### digits, 30 % wrong labels" in text and "| AE-SAM |" in text
    assert text.startswith(DOCUMENT.partition(report.BEGIN)[0])
    assert text.endswith(DOCUMENT.partition(report.END)[2])

    # A row that is lost comes back, and all others stay.
    (lost,) = first.splitlines()[4:5]
    results.write_text(first.replace(f"{lost}\n", ""))
    assert run(tmp_path) == 0
    times = store.Row.__annotations__
    column = list(times).index("seconds")

    def untimed(content):
        lines = list(csv.reader(content.splitlines()))
        return [line[:column] + line[column + 1 :] for line in lines]

    assert untimed(results.read_text()) == untimed(first)

    # Nothing is left to do.
    monkeypatch.setattr(training, "train", None)
    monkeypatch.setattr(costs, "measure", None)
    assert run(tmp_path) == 0 and run(tmp_path, "--report") == 0
    with pytest.raises(ValueError, match="other settings.*Received"):
        run(tmp_path, "--budget=2")
    with pytest.raises(ValueError, match="another --network.*'mlp'"):
        run(tmp_path, "--network=cnn")


# Tables.


def rows(accuracies, cell=("digits", 0.3)):
    """Returns rows of {method: {radius: [percent of each seed]}}."""
    return [
        store.Row(
            *cell,
            method,
            rho,
            seed,
            *(100, 50, percent / 100, 0.1, 1.0, "", ""),
        )
        for method, radii in accuracies.items()
        for rho, percents in radii.items()
        for seed, percent in enumerate(percents)
    ]


def test_the_other_seeds_choose_the_radius():
    """Of the last seed the radius is 0.2, which is worse in that seed."""
    found = report.scores(rows({"SAM": {0.1: [70, 70, 90], 0.2: [80, 80, 75]}}))
    score = found["digits", 0.3]["SAM"]
    # Without seed 0 the means are 80 and 77.5; without seed 2 70 and 80.
    assert score.radii == [0.1, 0.1, 0.2]
    assert score.accuracies == pytest.approx([70, 70, 75])
    assert score.edge


SGD, SAM = {0.0: [60, 61, 62, 63]}, {0.1: [70, 71, 72, 73.5]}
BOTH = [("digits", 0.3), ("mnist1d", 0.3)]


def all_rows(**methods):
    accuracies = {"SGD": SGD, "SAM": SAM, **methods}
    return [row for cell in BOTH for row in rows(accuracies, cell)]


def test_table():
    text = report.markdown(all_rows(stale={0.1: [70, 62, 64, 66]}), COSTS)
    # 100 steps, 50 of them climbs: 100 for SGD, 150 for the others.
    line = next(x for x in text.splitlines() if x.startswith("| stale | 1.50"))
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[1:4] == ["1.50", "100", "1.00"]
    # Differences to SGD: 10, 1, 2, 3; t of 3 degrees is 3.182.
    assert cells[5] == "+4.00 [-2.50, +10.50]"
    # To SAM: 0, -9, -8, -7.5.
    assert cells[6].startswith("-6.12 [")
    assert "| SAM | 2 | 0 | 0 | 0 |" in text


@pytest.mark.parametrize(
    ("percents", "name"),
    [
        ([60, 61, 62, 64], "SAM"),  # No better than SGD.
        ([75, 76, 77, 78.2], "stale"),  # Above SAM.
        ([65, 66, 67, 68.2], "SAM"),  # Above SGD, below SAM.
    ],
)
def test_the_rule(percents, name):
    found = report.scores(all_rows(stale={0.1: percents}))
    assert report.named(found) == name
    assert f"name **{name}**" in report.markdown(
        all_rows(stale={0.1: percents}), COSTS
    )


def test_no_method_is_named_for_one_task():
    """And a method that is below SGD anywhere is not named either."""
    one = [row for row in all_rows() if row.dataset == "digits"]
    assert report.named(report.scores(one)) is None
    below = rows({"SGD": SAM, "SAM": SGD}, ("digits", 0.0))
    assert report.named(report.scores(all_rows() + below)) is None
    assert "name no method" in report.markdown(one, COSTS)


def test_a_seed_that_is_not_finished_does_not_count():
    whole = all_rows()
    begun = [row for row in all_rows() if row.seed < 3 or row.method == "SGD"]
    less = [row for row in whole if row.seed < 3]
    assert report.markdown(begun, COSTS) == report.markdown(less, COSTS)
    assert "these 3 seeds name" in report.markdown(begun, COSTS)


def test_a_page_without_marks_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("No marks.")
    with pytest.raises(ValueError, match="must have the lines.*Received"):
        report.put(page, "tables")
    assert page.read_text() == "No marks."


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
