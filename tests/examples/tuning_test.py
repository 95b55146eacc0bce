"""Tests of `benchmarks.tuning`: rules, fitting, resuming, tables."""

import pathlib
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from tests.support import testing  # noqa: F401  # isort: skip

import benchmarks
from benchmarks.cheaper import grid as cheaper
from benchmarks.cheaper import store as cheaper_store
from benchmarks.tuning import __main__ as tuning
from benchmarks.tuning import grid
from benchmarks.tuning import measuring
from benchmarks.tuning import report
from benchmarks.tuning import rules
from benchmarks.tuning import store
from examples import models
from examples import pool
from tests.support import pools

DOCUMENT = (
    pathlib.Path(benchmarks.__file__).parents[1] / "docs" / "tuning.md"
).read_text()
MOMENT = next(iter(grid.MOMENTS))
COSINE, _, AT_MOST = rules.RULES[:3]


def climb(rho, cosine, share=1.0, rise=1.0):
    return store.Climb(
        *("digits", 0.3, "mlp", 0, MOMENT, rho, 2.0),
        *(rise, rise / 2.0, share, cosine, rho, 5.0, "", ""),
    )


def task(sgd, sam, cosines, dataset="digits", model="mlp"):
    """Returns a task of three radii; each seed has the same cosines."""
    radii = (0.1, 0.2, 0.4)
    of_seed = [climb(*pair) for pair in zip(radii, cosines, strict=True)]
    return rules.Task(
        (dataset, 0.3, model),
        radii,
        np.array(sgd, float),
        np.array(sam, float),
        {moment: [of_seed] * len(sgd) for moment in grid.MOMENTS},
    )


# SAM gains 10 points at 0.2, where the cosine is 0.8.
GAINS = task(
    [60, 61, 62, 63],
    [[62, 70, 10], [63, 71, 11], [64, 72, 12], [65, 73, 13]],
    [0.99, 0.8, 0.1],
)
# SAM gains nothing, and loses where the cosine is below 0.7.
EVEN = task(
    [60, 61, 62, 63],
    [[60.1, 60, 50], [60.9, 61, 50], [62.1, 62, 50], [62.9, 63, 50]],
    [0.9, 0.7, 0.5],
    model="cnn",
)


# Rules.


@pytest.mark.parametrize(
    ("numbers", "threshold", "at_least", "expected"),
    [
        ([1.0, 2.0, 3.0], 2.0, False, 1),
        ([1.0, 2.0, 3.0], 0.5, False, 0),  # None is within.
        ([1.0, 2.0, 3.0], 9.0, False, 2),
        ([3.0, 2.0, 1.0], 2.0, True, 1),
        ([1.0, 3.0, 1.0], 2.0, False, 0),  # The first that leaves ends it.
        ([1.0, np.nan, 1.0], 2.0, False, 0),
    ],
)
def test_the_last_radius_within_the_threshold(
    numbers, threshold, at_least, expected
):
    found = rules.suggested(np.array([numbers]), threshold, at_least)
    np.testing.assert_array_equal(found, [expected])


def test_numbers_of_the_rules():
    at, smallest = climb(0.4, 0.7, 1.5, 3.0), climb(0.1, 0.9, 1.1, 0.5)
    found = [rule.number(at, smallest) for rule in rules.RULES]
    assert found == pytest.approx([0.7, 1.5, 1.5, 1.5, 6.0, 0.08])
    assert rules.CONSTANT.number(at, smallest) == 0.4


def test_what_a_rule_needs():
    """Half of the gain; or at most a point below SGD, if there is no gain."""
    assert GAINS.best == ([70, 71, 72, 73], [0.2] * 4)
    assert GAINS.needed == pytest.approx(5.0)
    assert not EVEN.gain.excludes_zero and EVEN.needed == -1.0
    assert GAINS.kept(np.array([1, 1, 0, 0])) == pytest.approx(6.0)


def test_the_threshold_with_which_most_tasks_pass():
    # 0.7 and 0.8 let both pass, 0.8 with 0.01 points more.
    threshold = rules.fitted(COSINE, MOMENT, [GAINS, EVEN])
    assert threshold == pytest.approx(0.7, abs=0.11)
    for given in ([GAINS], [GAINS, EVEN]):
        found = rules.fitted(COSINE, MOMENT, given)
        indices = rules.suggested(GAINS.numbers(COSINE, MOMENT), found, True)
        np.testing.assert_array_equal(indices, 1)


def test_a_task_has_no_say_in_its_own_threshold():
    alone = rules.left_out(COSINE, MOMENT, [GAINS, EVEN])
    of_gains, of_even = alone[GAINS.key], alone[EVEN.key]
    assert of_gains.threshold == rules.fitted(COSINE, MOMENT, [EVEN])
    assert of_even.threshold == rules.fitted(COSINE, MOMENT, [GAINS]) == 0.8
    assert of_even.radii == [0.1] * 4 and of_even.passes
    other = task(
        EVEN.sgd, EVEN.sam, [0.99, 0.95, 0.9], dataset="mnist1d", model="mlp"
    )
    found = rules.transferred(COSINE, MOMENT, [GAINS, EVEN, other])
    assert found[other.key].threshold == rules.fitted(
        COSINE, MOMENT, [GAINS, EVEN]
    )
    assert found[other.key].radii == [0.4] * 4
    assert not found[other.key].passes  # It loses ten points.
    assert found[GAINS.key].threshold == rules.fitted(COSINE, MOMENT, [other])


@pytest.mark.parametrize("breaks", [False, True])
def test_the_verdict(breaks, monkeypatch):
    """A rule is validated only if it passes in every task."""
    assert "4 of 5 seeds" in report.markdown([GAINS, EVEN])
    monkeypatch.setattr(rules, "SEEDS", 4)
    cosines = [0.99, 0.95, 0.9] if breaks else [0.9, 0.7, 0.5]
    tasks = [
        task(GAINS.sgd, GAINS.sam, [0.99, 0.8, 0.1], dataset, "mlp")
        for dataset in ("digits", "mnist1d")
    ] + [
        task(EVEN.sgd, EVEN.sam, cosines, dataset, "cnn")
        for dataset in ("digits", "mnist1d")
    ]
    text = report.markdown(tasks)
    line = text.splitlines()[0]
    assert ("cosine at least 0.8 (after no training)" in line) is not breaks
    assert "digits, mlp, 30 % wrong" in text


# What is trained.


def test_runs_are_paired_and_those_of_cheaper_are_left_out():
    planned = grid.plan(2)
    assert len({run.key for run in planned}) == len(planned)
    assert len({run.digest for run in planned}) == len(planned)
    assert len(planned) == 2 * 4 * (3 * 1 + 2 * 6)
    for run in planned:
        known = (run.dataset, run.model) in (
            ("digits", "mlp"),
            ("mnist1d", "cnn-1d"),
        )
        assert run.method == "SGD" or not known
    for dataset, networks in grid.NETWORKS.items():
        first = next(iter(networks))
        assert first == cheaper.TASKS[dataset].model
        assert networks[first] == cheaper.TASKS[dataset].rhos
    measured = grid.measured(2)
    assert len({run.measured_digest for run in measured}) == len(measured) == 24


def test_networks_that_only_this_benchmark_trains():
    """Their layers, so that a change does not pass unseen."""
    deep = models.build("mlp-deep", (8, 8, 1), 10)
    assert [w.shape for w in deep.weights[::2]] == [
        *((64, 128), (128, 128), (128, 128), (128, 128), (128, 10))
    ]
    wide = models.build("cnn-1d-wide", (40, 1), 10)
    kernels = [w.shape for w in wide.weights if w.name == "kernel"]
    assert kernels == [(5, 1, 32), (5, 32, 64), (5, 64, 64), (320, 10)]
    for network in (deep, wide):
        inputs = np.ones((2, *network.input_shape[1:]))
        assert network(inputs).shape == (2, 10)


# The whole of it, with one small task.


@pytest.fixture
def small(monkeypatch):
    task = cheaper.Task("mlp", 10, (0.1,), {})
    monkeypatch.setattr(cheaper, "TASKS", {"digits": task})
    monkeypatch.setattr(cheaper, "LABEL_NOISES", (0.3,))
    networks = {"digits": {"mlp": (0.1,), "mlp-deep": (0.1,)}}
    monkeypatch.setattr(grid, "NETWORKS", networks)
    moments = {"no training": None, "an epoch of SAM": "SAM"}
    monkeypatch.setattr(grid, "MOMENTS", moments)
    monkeypatch.setattr(rules, "SEEDS", 2)
    # There is no other data set here.
    monkeypatch.setattr(rules, "transferred", rules.left_out)
    monkeypatch.setattr(grid, "MEASURED", 96)
    monkeypatch.setattr(grid, "BATCH_SIZE", 64)
    monkeypatch.setattr(pool, "executor", pools.Here)


def run(folder, *arguments):
    with flagsaver.flagsaver():
        flags.FLAGS(
            [
                "tuning",
                *(f"--output_dir={folder}", f"--data_dir={folder}/data"),
                *(f"--page={folder}/page.md", "--repeats=2"),
                *(f"--finished={folder}/cheaper.csv", *arguments),
            ]
        )
        return tuning.main(["tuning"])


def cheaper_rows(steps=10):
    return [
        cheaper_store.Row(
            *("digits", 0.3, "SAM", 0.1, seed, steps, steps),
            *(0.5, 1.0, 1.0, "", ""),
        )
        for seed in (0, 1, 2)
    ]


@testing.ALSO  # `cheaper_test.py` has the same of the other sweep.
def test_it_runs_resumes_and_refuses(small, tmp_path, monkeypatch):
    page, results = tmp_path / "page.md", tmp_path / "results.csv"
    page.write_text(DOCUMENT)
    cheaper_store.write(
        tmp_path / "cheaper.csv", cheaper_store.Row, cheaper_rows()
    )
    assert run(tmp_path) == 0
    rows = cheaper_store.read(results, store.Row)
    assert {(row.model, row.method, row.rho) for row in rows} == {
        ("mlp", "SGD", 0.0),
        ("mlp-deep", "SGD", 0.0),
        ("mlp-deep", "SAM", 0.1),
    }
    climbs = cheaper_store.read(tmp_path / "climbs.csv", store.Climb)
    # Two seeds of two networks, at two moments.
    assert len({row.weight_norm for row in climbs}) == len(climbs) == 8
    for row in climbs:
        assert row.distance == pytest.approx(row.rho, rel=1e-4)
        assert row.relative_rise == pytest.approx(row.rise / row.loss, 1e-4)
    text = page.read_text()
    assert "digits, mlp-deep, 30 % wrong" in text
    assert text.startswith(DOCUMENT.partition(report.BEGIN)[0])

    # A training that is lost comes back the same; nothing is measured again.
    content = results.read_text()
    results.write_text("\n".join(content.splitlines()[:-1]) + "\n")
    monkeypatch.setattr(measuring, "measure", None)
    assert run(tmp_path) == 0
    again = cheaper_store.read(results, store.Row)
    assert [(row.key, row.test_loss) for row in again] == [
        (row.key, row.test_loss) for row in rows
    ]
    assert run(tmp_path, "--only_report") == 0

    # Other settings.
    monkeypatch.setattr(grid, "MEASURED", 64)
    with pytest.raises(ValueError, match=r"climbs.csv holds.*Received"):
        run(tmp_path)
    cheaper_store.write(
        tmp_path / "cheaper.csv", cheaper_store.Row, cheaper_rows(steps=20)
    )
    with pytest.raises(ValueError, match="must have the steps.*10.*Received"):
        run(tmp_path, "--only_report")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
