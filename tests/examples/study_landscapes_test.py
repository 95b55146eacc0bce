"""examples/study/landscapes.py: which networks, what of them, and the table."""

import sys
import types

import keras
import numpy as np
import pytest

from examples import data
from examples import models
from examples import runs
from examples.study import grid
from examples.study import landscapes
from tests.support import testing as _  # noqa: F401  Before TensorFlow's devices.


def planned(folder):
    settings = types.SimpleNamespace(
        batch_size=128, num_batch_splits=None, data_dir=str(folder / "tfds")
    )
    return grid.plan(grid.CONFIGS["small"], settings, (), folder / "runs")


def test_networks(tmp_path):
    runs = landscapes.wanted(planned(tmp_path))
    assert len(runs) == 2 * 5 * 5  # Data sets, methods, seeds.
    assert {run.noise for run in runs} == {0.3}
    assert {run.rho for run in runs if run.dataset == "digits"} == {0.0, 0.2}


def test_row_is_of_the_noisy_training_data(tmp_path):
    run = landscapes.wanted(planned(tmp_path))[0]
    run.settings.steps_per_execution = 1
    arrays = data.load("digits", run.settings.data_dir)
    keras.utils.set_random_seed(0)
    model = models.build(run.model, arrays.train[0].shape[1:], 10)
    folder = tmp_path / "runs" / run.settings.output_dir.rpartition("/")[2]
    folder.mkdir(parents=True)
    model.save(folder / "model.keras")
    row = landscapes.measure(run)
    assert row["dataset"] == "digits" and row["method"] == "sgd"
    assert row["gap"] == pytest.approx(row["n_steps"] - row["one_step"])
    assert 0 < row["straightness"] <= 1
    assert row["residual"] < 0.05 * row["eigenvalue"]
    # By hand, one step of each batch from the weights.
    noisy = data.with_label_noise(arrays.train[1], 0.3, 10, 0)
    arrays = data.Arrays((arrays.train[0], noisy), arrays.test, 10)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    rises = []
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), loss)
    for x, y in data.ordered_batches(arrays, "train", 512, 128):
        first = float(loss(y, model(x)))
        model.train_on_batch(x, y)
        steps = [
            b - a for b, a in zip(before, model.get_weights(), strict=True)
        ]
        length = np.sqrt(sum(np.sum(s**2) for s in steps))
        model.set_weights(
            [b + 0.2 / length * s for b, s in zip(before, steps, strict=True)]
        )
        rises.append(float(loss(y, model(x))) - first)
        model.set_weights(before)
    assert row["one_step"] == pytest.approx(np.mean(rises), rel=1e-3)


def test_table_and_file(tmp_path):
    rows = [
        {
            **dict(zip(landscapes.KEY, ("digits", "sam", 1, seed))),
            **{name: 1.0 + seed for name in landscapes.QUANTITIES},
        }
        for seed in range(3)
    ]
    runs.write_csv(tmp_path / "rows.csv", rows[0], rows)
    again = runs.read_csv(tmp_path / "rows.csv")
    assert landscapes.table(again) == landscapes.table(rows)
    # 2 plus or minus 4.303 / sqrt(3), Student's t with two degrees.
    assert "| digits | sam | 2 ± 2 |" in landscapes.table(rows)
    assert runs.read_csv(tmp_path / "none.csv") == []


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
