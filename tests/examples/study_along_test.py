"""examples/study/along.py: which trainings, what of them, and the tables."""

import csv
import math
import pathlib
import sys
import types

import keras
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from examples import options
from examples import train
from examples.study import along
from examples.study import along_report
from examples.study import along_rows
from examples.study import grid
from keras_sam import landscape as landscapes
from tests.support import testing as _  # noqa: F401  Before TensorFlow's devices.

SHARPER = pathlib.Path(train.__file__).parents[1] / "docs" / "study" / "sharper"


def test_trainings():
    settings = types.SimpleNamespace(batch_size=128, num_batch_splits=None)
    planned = grid.plan(along.CONFIG, settings, (), pathlib.Path("runs"))
    chosen = along.wanted(planned)
    assert len(chosen) == 2 * 4 * 10  # Data sets, methods, seeds.
    assert {run.rho for run in chosen if run.dataset == "digits"} == {0.0, 0.57}
    assert all(
        run.settings.epochs == along.EPOCHS[run.dataset][-1] for run in chosen
    )


def test_climbs_by_hand():
    """On a quadratic the losses, the ends and the angles are known."""
    curvature = np.array([4.0, 1.0])
    net = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(1, use_bias=False)]
    )
    net.compile(loss=lambda y, z: z)

    class Quadratic:
        """Half of the sum of c w^2."""

        def loss_and_gradient(self, params):
            return self.loss(params), self.gradient(params)

        def loss(self, params):
            return 0.5 * keras.ops.sum(curvature * params[0] ** 2)

        def gradient(self, params):
            return [curvature * params[0]]

    w = np.array([1.0, 2.0])
    tensors = [keras.ops.convert_to_tensor(w)]
    unseen = [keras.ops.convert_to_tensor(np.array([0.0, 3.0]))]
    got = along.climbs(Quadratic(), tensors, 0.5, unseen)

    def loss(z):
        return 0.5 * np.sum(curvature * z**2)

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    first = curvature * w
    end = w + 0.5 * first / np.linalg.norm(first)
    points = [w]
    for _step in range(5):
        slope = curvature * points[-1]
        points.append(points[-1] + 0.1 * slope / np.linalg.norm(slope))
    assert got["loss"] == pytest.approx(loss(w))
    assert got["one_5"] == pytest.approx(loss(end) - loss(w))
    middle = w + 0.2 * first / np.linalg.norm(first)
    assert got["one_2"] == pytest.approx(loss(middle) - loss(w))
    for k in range(1, 6):
        assert got[f"several_{k}"] == pytest.approx(loss(points[k]) - loss(w))
    one, last = curvature * end, curvature * points[-1]
    assert got["ends"] == pytest.approx(cosine(one, last))
    assert got["one_first"] == pytest.approx(cosine(one, first))
    assert got["last_first"] == pytest.approx(cosine(last, first))
    assert got["way_first"] == pytest.approx(cosine(points[-1] - w, first))
    assert got["last_way"] == pytest.approx(cosine(last, points[-1] - w))
    assert got["one_norm"] == pytest.approx(
        np.linalg.norm(one) / np.linalg.norm(first)
    )
    mean = np.mean([curvature * z for z in points[1:]], axis=0)
    assert got["mean_unseen"] == pytest.approx(
        cosine(mean, np.array([0.0, 3.0]))
    )


def test_a_training_is_that_of_the_study(tmp_path, monkeypatch):
    """Accuracy at the end, and the climbs at the last weights."""
    config = grid.CONFIGS["smoke"]
    settings = settings_in(tmp_path)
    (run,) = [
        run
        for run in grid.plan(config, settings, (), tmp_path / "runs")
        if (run.method, run.seed) == ("sam", 0)
    ]
    monkeypatch.setitem(along.EPOCHS, "digits", (1,))
    (row,) = along.measure(run)
    result = train.train(run.settings)
    assert row["final_accuracy"] == result["test_accuracy"]
    model = keras.saving.load_model(
        f"{run.settings.output_dir}/model.keras", compile=False
    )
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    arrays = train.load_data(run.settings)
    batches = along.data.ordered_batches(arrays, "train", 512, 128)
    at = landscapes.Landscape(model, batches, training=True)
    rho = along.RADII["digits"]
    climb = landscapes.path(at, rho, ascent_steps=5).mean()
    assert row["several_5"] == pytest.approx(
        climb["losses"][-1] - climb["losses"][0], rel=1e-4
    )
    assert row["way_first"] == pytest.approx(
        climb["cosine_to_displacement"], rel=1e-4
    )
    one = landscapes.sharpness(at, rho, ascent_steps=5).one_step
    assert row["one_5"] == pytest.approx(one, rel=1e-4)


def settings_in(folder):
    with flagsaver.flagsaver():
        flags.FLAGS(["along", f"--output_dir={folder}"])
        return options.settings()


def made_up():
    random = np.random.RandomState(0)
    names = [
        *(f"{kind}_{k}" for kind in ("one", "several") for k in range(1, 6)),
        *along_report.CLIMBS,
        *along_report.GRADIENTS,
        *along_report.UNSEEN,
    ]
    return [
        {
            **dict(zip(along_rows.KEY, (dataset, method, n, seed))),
            "epoch": epoch,
            "radius": radius,
            **{name: 1.0 + random.uniform() for name in names},
        }
        for dataset, epochs in along.EPOCHS.items()
        for method, n in along.ARMS
        for seed in range(3)
        for epoch in epochs
        for radius in along.CLIMBS[dataset]
    ]


def test_tables_and_figures(tmp_path):
    rows = made_up()
    along_report.write(rows, tmp_path)
    tables = along_report.tables(rows)
    text = (tmp_path / "along.md").read_text()
    for table in tables.values():
        assert table in text
        # A line for each place, method, first and last epoch; and the head.
        assert len(table.splitlines()) in (2 + 3 * 4 * 2, 2 + 3 * 3 * 2)
    ratios = []
    for seed in range(3):
        last, sam = (
            row["eigenvalue"]
            for method in ("last", "sam")
            for row in rows
            if (row["dataset"], row["method"], row["seed"], row["epoch"])
            == ("digits", method, seed, 3)
        )
        ratios.append(math.log(last / sam))
    found = along_rows.ratio(rows, "eigenvalue", "digits, 0.57", ("last", 5), 3)
    assert found.mean == pytest.approx(np.mean(ratios))
    for name in ("climbs", "epochs"):
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
        assert (tmp_path / f"{name}.svg").exists()


def test_the_page_has_the_tables_of_its_rows():
    with (SHARPER / "along.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    page = (SHARPER.parents[1] / "study_sharper.md").read_text()
    for name, table in along_report.tables(rows).items():
        assert table in page, f"docs/study_sharper.md needs {name}\n{table}"


def test_these_trainings_are_those_of_the_study():
    """To the bit: each ends with the accuracy that the study has for it."""
    with (SHARPER / "along.csv").open(newline="") as file:
        ends = {along_rows.key(row): row for row in csv.DictReader(file)}
    with (SHARPER / "results.csv").open(newline="") as file:
        study = {
            (row["dataset"], row["method"], row["n"], row["seed"]): row
            for row in csv.DictReader(file)
            if float(row["rho"]) in (0.0, along.RADII[row["dataset"]])
        }
    for key, row in ends.items():
        assert row["final_accuracy"] == study[key]["test_accuracy"]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
