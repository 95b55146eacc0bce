"""Tests of `examples.study`: grid, statistics, resuming, tables, figures."""

import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time
import types

import keras
import mnist1d
import numpy as np
import pytest
from absl import app
from absl import flags
from absl.testing import flagsaver
from scipy import stats

import keras_sam
from examples import data
from examples import models
from examples import options
from examples import paired
from examples import pool
from examples import train
from examples.study import __main__ as study
from examples.study import analysis
from examples.study import figures
from examples.study import grid
from examples.study import report
from examples.study import runner
from examples.study import table

ROOT = pathlib.Path(train.__file__).parents[1]
STUDY = ROOT / "docs" / "study"


def planned(config, *arguments, folder="unused"):
    with flagsaver.flagsaver():
        flags.FLAGS(
            ["study", f"--output_dir={folder}", f"--config={config}"]
            + list(arguments)
        )
        return study.plan(options.settings())


# MNIST-1D.


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    state = np.random.get_state()
    arrays = data.load("mnist1d", str(tmp_path_factory.mktemp("tfds")))
    # The package seeds NumPy's generator; nobody else shall notice.
    assert all(map(np.array_equal, state, np.random.get_state()))
    return arrays


def test_signals_are_those_of_the_package(signals):
    made = mnist1d.data.make_dataset()
    for (x, y), end in ((signals.train, ""), (signals.test, "_test")):
        assert x.shape[1:] == (40, 1) and x.dtype == np.float32
        original = made[f"x{end}"].astype(np.float32)
        # TFDS shuffles what it writes.
        assert sorted(zip(map(tuple, x[..., 0]), y)) == sorted(
            zip(map(tuple, original), made[f"y{end}"])
        )
    assert len(signals.train[1]) == 4000 and len(signals.test[1]) == 1000


def test_batches_of_signals(signals):
    batches = data.train_batches(signals, 4000, 0, range(1))
    ((x, y),) = batches
    assert x.shape == (4000, 40, 1) and y.shape == (4000, 10)
    # Float32 rounds; of 160,000 values.
    assert abs(np.mean(x)) < 1e-5 and abs(np.std(x) - 1) < 1e-5


def test_model_of_signals(signals):
    model = models.build("cnn-1d", signals.train[0].shape[1:], 10)
    convolutions = 5 * (1 * 16 + 16 * 32 + 32 * 32)
    norms, logits = 2 * (16 + 32 + 32), (5 * 32 + 1) * 10
    sizes = [np.prod(v.shape) for v in model.trainable_variables]
    assert sum(sizes) == convolutions + norms + logits


# The grid.


@pytest.mark.parametrize(
    ("config", "cells", "arms", "seeds"),
    [("smoke", 1, 5, 2), ("small", 4, 41, 5), ("full", 8, 51, 5)],
)
def test_grid_is_full(config, cells, arms, seeds):
    plan = planned(config)
    assert len({table.key(run) for run in plan}) == len(plan)
    assert len({run.settings.output_dir for run in plan}) == len(plan)
    assert len(plan) == cells * arms * seeds
    assert {run.seed for run in plan[: cells * arms]} == {0}
    for run in plan:
        assert run.settings.seed == run.settings.noise_seed == run.seed
        assert run.settings.label_noise == run.noise
    if config != "smoke":
        assert {run.n for run in plan} == {0, 1, 2, 3, 5}
        assert {run.noise for run in plan} == {0.0, 0.3}


def test_arms():
    assert grid.arms((2, 3), (0.1, 0.2)) == [
        ("sgd", 0, 0.0),
        ("sam", 1, 0.1),
        ("sam", 1, 0.2),
        *(
            (method, n, rho)
            for method in ("last", "mean", "matched")
            for n in (2, 3)
            for rho in (0.1, 0.2)
        ),
    ]


@pytest.mark.parametrize("config", ["small", "full"])
def test_settings_are_those_of_a_command_line(config):
    plan = {(r.dataset, r.model, r.method): r for r in planned(config)}
    for run in plan.values():
        given = [
            f"--{name}={value}"
            for name, value in vars(run.settings).items()
            if value is not None
        ]
        with flagsaver.flagsaver():
            flags.FLAGS(["train", *given])
            assert options.settings() == run.settings


def test_methods_are_what_they_are_called():
    network = keras.Sequential([keras.layers.Dense(1)])
    found = {}
    for run in planned("full"):
        arguments = train.sam_arguments(run.settings, 390)
        found[run.method, run.n] = keras_sam.SAM(network, **arguments)
        if run.n:
            assert arguments["rho"] == run.rho
    for (method, n), sam in found.items():
        assert sam.ascent_steps == n
        descent, radius = grid.METHODS[method][1:]
        if n:
            assert type(sam.descent).__name__.lower() == descent
            assert sam.radius == radius


def test_a_full_run_trains():
    (run,) = [
        r
        for r in planned("full", "--batch_size=2")
        if table.key(r) == ("cifar100", "resnet-18", 0.3, "sam", 1, 0.1, 4)
    ]
    random = np.random.RandomState(0)
    images = random.randint(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    arrays = data.Arrays((images, np.arange(2)), (images, np.arange(2)), 100)
    strategy = options.STRATEGIES["none"](run.settings)
    model = train.build(run.settings, arrays, strategy)
    augment = data.augmentation(run.dataset, run.settings.augment)
    batches = data.train_batches(arrays, 2, 0, range(1), augment)
    logs = model.fit(
        batches, shuffle=False, steps_per_epoch=1, verbose=0
    ).history
    assert np.isfinite(logs["loss"]).all()


def test_given_flags_hold_for_all_runs():
    for run in planned("small", "--epochs=3", "--strategy=mirrored"):
        assert run.settings.epochs == 3
        assert run.settings.strategy == "mirrored"
    assert {r.settings.epochs for r in planned("small")} == {10, 30}


@pytest.mark.parametrize(
    "argument", ["--rho=0.1", "--seed=1", "--strategy=multi_worker"]
)
def test_flags_that_the_study_sets(argument):
    with pytest.raises(app.UsageError):
        planned("small", argument)


# Statistics.


def test_interval_is_that_of_scipy():
    values = np.random.RandomState(0).normal(1, 2, 5)
    found = paired.interval(values, 0.9)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.9)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(expected.low)
    assert found.high == pytest.approx(expected.high)
    assert found.positive == (values > 0).sum()
    assert found.negative == (values < 0).sum()


def test_interval_of_two_values():
    found = paired.interval([0.0, 2.0])
    # Student's t with one degree of freedom is Cauchy's distribution.
    assert found.high == pytest.approx(1 + np.tan(np.pi * 0.475))
    assert (found.positive, found.negative, found.zero) == (1, 0, 1)
    assert not found.excludes_zero
    assert paired.interval([1.0, 1.0]).excludes_zero


def test_interval_of_one_value_says_nothing():
    assert paired.interval([3.0]).high == np.inf


@pytest.mark.parametrize("values", [[], [np.nan], [[1.0]]])
def test_no_interval(values):
    with pytest.raises(ValueError, match="finite"):
        paired.interval(values)


def test_a_seed_has_no_say_in_its_radius():
    scores = {0.1: [9.0, 1.0, 1.0], 0.2: [2.0, 2.0, 2.0]}
    # Seed 0 alone likes 0.1, and gets what the others choose.
    assert paired.chosen(scores) == ([2.0, 1.0, 1.0], [0.2, 0.1, 0.1])


def test_the_smallest_of_equal_radii():
    scores = {0.4: [3.0, 5.0], 0.1: [3.0, 5.0], 0.2: [1.0, 1.0]}
    assert paired.chosen(scores)[1] == [0.1, 0.1]


def test_a_single_radius():
    assert paired.chosen({0.1: [3.0, 4.0]}) == ([3.0, 4.0], [0.1, 0.1])


def test_a_single_seed_chooses_nothing():
    with pytest.raises(ValueError, match="two seeds"):
        paired.chosen({0.1: [3.0], 0.2: [4.0]})


# The tidy file.

# Points above SGD, to which a seed adds the same for all methods.
_GAINS = {"sgd": 0, "sam": 2, "last": 3, "mean": 5, "matched": 4}


@pytest.fixture(scope="module")
def rows():
    """Rows of `--config=small` whose differences are known."""
    result = {"test_loss": 1.0, "train_seconds": 1.0, "versions": {"a": "1"}}
    found = []
    for run in planned("small"):
        value = 0.5 + 0.01 * (_GAINS[run.method] + run.n + run.seed)
        value -= 0.01 * (run.rho == 0.1)
        epoch = {"loss": 1.0, "accuracy": 0.5, "val_accuracy": value}
        more = {
            "test_accuracy": value,
            "history": [epoch],
            "gradient_evaluations": run.evaluations,
        }
        found.append(table.row(run, {**result, **more}))
    return found


def test_rows_survive_the_file(rows, tmp_path):
    path = tmp_path / "results.csv"
    table.write(path, rows)
    assert table.read(path) == rows
    assert os.listdir(tmp_path) == ["results.csv"]
    assert [row.key for row in rows] == [
        table.key(run) for run in planned("small")
    ]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: lines[1:], "must begin with the columns"),
        (lambda lines: [*lines, "digits,mlp"], "line 4 is not a row"),
        (lambda lines: [*lines, lines[1] + ",1"], "too many columns"),
        (
            lambda lines: [*lines, lines[1].replace("mlp,0.0", "mlp,x")],
            "could not convert",
        ),
        (lambda lines: [*lines, lines[1]], "twice, in lines 2 and 4"),
    ],
)
def test_spoiled_file(spoil, message, rows, tmp_path):
    path = tmp_path / "results.csv"
    table.write(path, rows[:2])
    path.write_text("\n".join(spoil(path.read_text().splitlines())))
    with pytest.raises(ValueError, match=message):
        table.read(path)


# The analysis.


def test_comparisons(rows):
    (cell, *_) = analysis.cells(rows)
    names = list(map(analysis.pair_name, analysis.comparisons(cell)))
    assert names == ["SAM - SGD"] + [
        text.format(n)
        for text in (
            "last - SAM, n = {}",
            "mean - last, n = {}",
            "mean - SAM, n = {}",
            "matched - SAM, n = {}",
            "mean - matched, n = {}",
        )
        for n in (2, 3, 5)
    ]


def test_differences_of_made_up_rows(rows):
    for cell in analysis.cells(rows):
        for pair in analysis.comparisons(cell):
            (first, n), (second, m) = pair
            expected = _GAINS[first] + n - _GAINS[second] - m
            for where in (analysis.CHOSEN, cell.rhos[0], cell.rhos[-1]):
                found = analysis.difference(cell, pair, where)
                lost = (where == 0.1) * (second == "sgd")
                assert found.mean == pytest.approx(expected - lost)
                assert found.high == pytest.approx(found.low)
            assert (found.positive, found.negative) == (5, 0)
            found = analysis.difference(cell, pair, analysis.AVERAGE)
            lost = 0.25 * (second == "sgd")
            assert found.mean == pytest.approx(expected - lost)


def test_chosen_radius_avoids_the_bad_one(rows):
    digits, *_, signals = analysis.cells(rows)
    assert digits.chosen["sam", 1][1] == [0.2] * 5
    assert signals.chosen["sam", 1][1] == [0.025] * 5


def test_missing_runs(rows):
    with pytest.raises(ValueError, match="2 runs .* seed 4. Run the study"):
        analysis.cells(rows[:-2])
    with pytest.raises(ValueError, match="no results"):
        analysis.cells([])


def test_tables_of_made_up_rows(rows):
    tables = report.tables(rows)
    assert (
        "| mean - matched, n = 3 |" + 4 * " **+1.00 [+1.00, +1.00] 5:0** |"
    ) in tables["Differences"]
    assert (
        "| last - sam | 12 above, 0 below, of 12 |"
        in (tables["Intervals without zero"])
    )
    assert "| digits, mlp | 410 |" in tables["Cost"]


def test_figures_are_the_same_for_the_same_rows(rows, tmp_path):
    rows = [row for row in rows if row.dataset == "digits"]
    files = {}
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        figures.draw(rows, folder)
        files[folder] = {p.name: p.read_bytes() for p in folder.iterdir()}
    one, two = files.values()
    assert one == two
    assert set(one) == {
        f"{name}.{kind}"
        for name in ("radius", "differences")
        for kind in ("png", "svg")
    }


# The study of this repository.


@pytest.mark.parametrize(
    "config, folder, page",
    [
        ("small", STUDY, "study.md"),
        ("sharper", STUDY / "sharper", "study_sharper.md"),
    ],
)
def test_the_page_has_the_tables_of_its_results(config, folder, page):
    found = table.read(folder / "results.csv")
    assert {row.key for row in found} == {
        table.key(run) for run in planned(config)
    }
    text = (ROOT / "docs" / page).read_text()
    for name, lines in report.tables(found).items():
        assert lines in text, f"docs/{page} needs this table: {name}\n{lines}"
    text = (folder / "differences.csv").read_text()
    assert text == report.differences(found)


# Running.


@pytest.fixture
def made_up(monkeypatch):
    """Runs nothing: results are made up, in this process."""
    started = []

    class Now:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, _, settings):
            started.append(settings)
            return outcome(settings)

        def shutdown(self, **_):
            pass

    def outcome(settings):
        future = concurrent.futures.Future()
        epoch = {"loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.5}
        future.set_result(
            {
                "test_accuracy": 0.5,
                "test_loss": 1.0,
                "train_seconds": 1.0,
                "versions": {},
                "gradient_evaluations": 1,
                "history": [epoch],
            }
        )
        return future

    monkeypatch.setattr(pool, "executor", lambda jobs: Now())
    monkeypatch.setattr(data, "load", lambda *_: None)
    return types.SimpleNamespace(
        started=started, patch=monkeypatch, outcome=outcome, pool=Now
    )


def run_study(folder, *arguments):
    with flagsaver.flagsaver():
        flags.FLAGS(
            ["study", f"--output_dir={folder}", "--config=smoke", *arguments]
        )
        return study.main(["study"])


def test_finished_runs_are_not_repeated(made_up, tmp_path):
    assert run_study(tmp_path) == 0
    assert len(made_up.started) == 10
    path = tmp_path / "results.csv"
    table.write(path, table.read(path)[:7])
    run_study(tmp_path)
    assert [s.output_dir for s in made_up.started[10:]] == [
        s.output_dir for s in made_up.started[7:10]
    ]
    run_study(tmp_path)
    assert len(made_up.started) == 13


@pytest.mark.parametrize("arguments", [["--epochs=2"], ["--config=small"]])
def test_another_study_in_the_folder(made_up, arguments, tmp_path):
    run_study(tmp_path)
    with pytest.raises(ValueError, match="Choose another --output_dir"):
        run_study(tmp_path, *arguments)


def test_known_runs_are_taken_over(made_up, tmp_path):
    run_study(tmp_path / "one")
    known = f"--known={tmp_path / 'one' / 'results.csv'}"
    run_study(tmp_path / "two", known)
    assert len(made_up.started) == 10
    made_up.started.clear()
    # Other settings, so another run.
    run_study(tmp_path / "three", known, "--epochs=2")
    assert len(made_up.started) == 10


def test_two_studies_at_once(made_up, tmp_path):
    with runner.alone(tmp_path):
        with pytest.raises(RuntimeError, match="Another study"):
            run_study(tmp_path)
    run_study(tmp_path)


def test_diverged_runs_are_named_once_all_others_ran(made_up, tmp_path):
    def submit(self, _, settings):
        future = made_up.outcome(settings)
        if settings.method == "sam":
            future = concurrent.futures.Future()
            future.set_exception(FloatingPointError("The loss is nan."))
        return future

    made_up.patch.setattr(made_up.pool, "submit", submit)
    with pytest.raises(RuntimeError, match="sam-n1-rho0.1-seed0.*loss is nan"):
        run_study(tmp_path)
    assert len(table.read(tmp_path / "results.csv")) == 8
    with pytest.raises(ValueError, match="Run the study to its end"):
        run_study(tmp_path, "--only=analyse")


def test_interrupted(made_up, tmp_path, capsys):
    def submit(self, _, settings):
        if settings.seed:
            raise KeyboardInterrupt
        return made_up.outcome(settings)

    made_up.patch.setattr(made_up.pool, "submit", submit)
    assert run_study(tmp_path) == 130
    assert "The same command continues" in capsys.readouterr().out


def test_nothing_to_analyse(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the study first"):
        run_study(tmp_path, "--only=analyse")


def test_dry_run_counts(tmp_path, capsys):
    run_study(tmp_path / "none", "--dry_run")
    text = capsys.readouterr().out
    assert text.endswith("264 gradient evaluations in 10 runs\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.also  # The other sweeps continue in the same way.
def test_killed_study_continues(tmp_path):
    """A real one, whose processes are killed without warning."""
    command = dict(
        args=[
            *(sys.executable, "-m", "examples.study", "--config=smoke"),
            *(f"--output_dir={tmp_path}", "--jobs=1"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    path = tmp_path / "results.csv"
    process = subprocess.Popen(**command)
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    # Its end closes the pipe, that of the worker included.
    output, _ = process.communicate(timeout=60)
    assert path.exists(), output
    first = table.read(path)
    assert 0 < len(first) < 10, "killed too late"
    process = subprocess.run(**command, check=False)
    assert process.returncode == 0, process.stdout
    rows = table.read(path)
    assert rows[: len(first)] == first  # Their seconds, too.
    assert [r.gradient_evaluations for r in rows] == 2 * [11, 22, 33, 33, 33]
    assert rows[0].test_loss != rows[5].test_loss  # Another seed.
    assert "SAM - SGD" in process.stdout


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
