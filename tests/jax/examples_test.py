"""The examples and `python -m keras_sam` on JAX, with TensorFlow blocked."""

import json
import sys

import numpy as np
import pytest

from tests.support import engine

if not engine.JAX:
    pytest.skip("needs KERAS_BACKEND=jax", allow_module_level=True)

import keras
from absl import flags
from absl.testing import flagsaver

from examples import data
from examples import options
from examples import runs
from examples import train
from examples.jax import cluster
from examples.landscape import measurements
from keras_sam.__main__ import parser

_RUN = (
    *("--model=mlp", "--epochs=2", "--dropout=0.2", "--ascent_steps=2"),
    "--label_noise=0.2",
)


def parse(*arguments):
    """Returns the settings of a command line."""
    with flagsaver.flagsaver():
        flags.FLAGS(["train", "--output_dir=unused", *arguments])
        return options.settings()


def run(folder, *arguments):
    return train.train(parse(*_RUN, f"--output_dir={folder}", *arguments))


def weights(folder):
    model = keras.saving.load_model(folder / "model.keras", compile=False)
    return model.get_weights()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    return folder, run(folder)


def test_a_run(finished):
    folder, result = finished
    assert json.loads((folder / "result.json").read_text()) == result
    assert result["gradient_evaluations"] == 3 * 2 * 11
    assert result["test_accuracy"] > 0.5
    assert set(result["versions"]) >= {"jax", "jaxlib", "keras_sam"}
    assert result["devices"] == 8 * ["cpu"]
    assert not (folder / "tensorboard").exists()
    assert sys.modules["tensorflow"] is None


def test_a_run_that_was_stopped_continues_to_the_bit(
    finished, monkeypatch, tmp_path
):
    begin = runs.Backup.on_train_batch_begin

    def stop(self, batch, logs=None):
        begin(self, batch, logs)
        if (self.epoch, batch) == (1, 6):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.Backup, "on_train_batch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, "--checkpoint_steps=4")
    result = run(tmp_path)
    for name in ("test_loss", "test_accuracy"):
        assert result[name] == finished[1][name]
    for one, two in zip(weights(finished[0]), weights(tmp_path), strict=True):
        np.testing.assert_array_equal(one, two)


# Strategies.


def test_devices_together_are_one_device(finished, tmp_path):
    """Without dropout, whose masks are of the whole batch or of its parts."""
    same = ("--dropout=0", "--sync_perturbations", "--epochs=1")
    same = (*same, "--learning_rate=0.01", "--lr_schedule=constant")
    one, eight = tmp_path / "one", tmp_path / "eight"
    run(one, *same)
    run(eight, *same, "--strategy=data_parallel")
    # Devices add up in another order, which 11 steps spread.
    for a, b in zip(weights(one), weights(eight), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_devices_must_share_evenly(tmp_path):
    with pytest.raises(ValueError, match="multiple of 8.*Received: 100"):
        run(tmp_path, "--strategy=data_parallel", "--batch_size=100")
    assert keras.distribution.distribution() is None


@pytest.mark.parametrize("name", ["mirrored", "multi_worker", "tpu"])
def test_strategies_of_tensorflow(name):
    with pytest.raises(flags.Error, match="not for jax: write --strategy=data"):
        parse(f"--strategy={name}")


def described(address, number, index):
    names = (cluster.ADDRESSES, cluster.NUMBER, cluster.INDEX)
    given = zip(names, (address, number, index), strict=True)
    return cluster.description({k: v for k, v in given if v is not None})


def test_description_of_processes():
    assert described("a:1,b:2", "2", "1") == ("a:1", 2, 1)
    for address, number, index, wrong in (
        (None, "2", "0", cluster.ADDRESSES),
        ("a", "2", "0", cluster.ADDRESSES),
        ("a:b", "2", "0", cluster.ADDRESSES),
        ("a:1", "0", "0", cluster.NUMBER),
        ("a:1", None, "0", cluster.NUMBER),
        ("a:1", "2", "2", cluster.INDEX),
        ("a:1", "2", "-1", cluster.INDEX),
    ):
        with pytest.raises(ValueError, match=f"^{wrong} must"):
            described(address, number, index)


# Data.


def test_signals_need_no_tfds():
    arrays = data.load("mnist1d")
    assert arrays.train[0].shape == (4000, 40, 1)
    assert len(arrays.test[1]) == 1000


def test_batches_depend_on_seed_and_epoch_alone():
    arrays = data.load("digits")

    def collect(seed, epochs):
        return list(data.train_batches(arrays, 128, seed, epochs, (1, True)))

    two = collect(0, range(2))
    assert len(two) == 2 * 11
    for old, new in zip(two[11:], collect(0, range(1, 2)), strict=True):
        np.testing.assert_array_equal(old[0], new[0])
        np.testing.assert_array_equal(old[1], new[1])
    assert (two[0][0] != two[11][0]).any()
    assert (two[0][0] != collect(1, range(1))[0][0]).any()


def test_an_epoch_holds_each_example_once():
    x = np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1)
    arrays = data.Arrays((x, np.zeros(16, int)), (x, np.zeros(16, int)), 3)
    batches = data.train_batches(arrays, 4, 0, range(1))
    images = np.concatenate([image for image, _ in batches]).ravel()
    expected = (np.arange(16) - x.mean()) / x.std()
    np.testing.assert_allclose(np.sort(images), expected, rtol=1e-5)


def test_augmentation_shifts_and_mirrors():
    x = np.zeros((64, 5, 5, 1), np.uint8)
    x[:, 2, 2], x[:, 2, 3] = 100, 200  # A pair that tells left from right.
    arrays = data.Arrays((x, np.zeros(64, int)), (x, np.zeros(64, int)), 3)
    ((images, _),) = data.train_batches(arrays, 64, 0, range(1), (1, True))
    seen = set()
    for image in images[..., 0]:
        row, column = np.unravel_index(image.argmax(), image.shape)
        left = column > 0 and image[row, column - 1] > image.min()
        seen.add((row - 2, not left))
    assert seen == {(r, m) for r in (-1, 0, 1) for m in (False, True)}


# Measurements, and the command line of the library.


def test_landscape_of_a_run(finished, tmp_path, capsys):
    settings = {
        **{"checkpoint": [f"mine:{finished[0]}/model.keras"], "seed": 0},
        **{"dataset": "digits", "split": "train", "examples": 24},
        **{"batch_size": 10, "rho": 0.1, "ascent_steps": 2, "draws": 2},
        **{"eigenvalues": 1, "products": 10, "grid": 3},
    }
    measurements.report_on(settings, tmp_path)
    content = json.loads((tmp_path / "landscape.json").read_text())["mine"]
    assert all(part["complete"] for part in content.values())
    assert content["evaluation"]["weights"] == 85002
    assert "largest eigenvalue" in capsys.readouterr().out


def test_command_line_of_the_library(finished, tmp_path, capsys):
    assert parser.main(["methods", "gsam"]) == 0
    assert parser.main(["show", "gsam"]) == 0
    assert "Surrogate" in capsys.readouterr().out
    images, labels = data.load("digits").train
    np.savez(tmp_path / "d.npz", x=images[:32] / 16, y=labels[:32])
    arguments = (
        *("landscape", f"SAM={finished[0]}/model.keras"),
        *(str(tmp_path / "d.npz"), "--draws=2", "--products=5"),
        *("--loss=sparse_categorical_crossentropy", "--from_logits"),
    )
    assert parser.main(arguments) == 0
    assert "largest eigenvalue of the Hessian" in capsys.readouterr().out


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
