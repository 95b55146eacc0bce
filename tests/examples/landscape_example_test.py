"""examples/landscape: from checkpoints to numbers, figures and a page."""

import json
import re
import sys

import keras
import numpy as np
import pytest

from examples import data
from examples.landscape import figures
from examples.landscape import measurements
from tests.support import testing

SETTINGS = {
    "dataset": "digits",
    "split": "train",
    "examples": 24,
    "batch_size": 10,
    "rho": 0.1,
    "ascent_steps": 2,
    "draws": 2,
    "eigenvalues": 1,
    "products": 10,
    "grid": 3,
    "seed": 0,
}


def checkpoint(path, seed):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, activation="relu")(inputs)
    outputs = keras.layers.Dense(10)(keras.layers.Flatten()(x))
    keras.Model(inputs, outputs).save(path)
    return str(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two checkpoints and what was measured of them."""
    folder = tmp_path_factory.mktemp("landscape")
    for i in range(2):
        checkpoint(folder / f"{i}.keras", i)
    run(folder / "out", checkpoint=checkpoints(folder))
    return folder


def checkpoints(folder):
    """One with a name, and one without."""
    return [f"first:{folder / '0.keras'}", str(folder / "1.keras")]


def run(output_dir, **settings):
    measurements.report_on(
        {**SETTINGS, **settings}, output_dir, str(output_dir.parent / "tfds")
    )


def test_numbers(folder):
    content = json.loads((folder / "out" / "landscape.json").read_text())
    arrays = data.load("digits", str(folder / "tfds"))
    assert list(content) == ["first", str(folder / "1.keras")]
    for i, known in enumerate(content.values()):
        path = folder / f"{i}.keras"
        model = keras.saving.load_model(path)
        x, y = next(iter(data.ordered_batches(arrays, "train", 24, 24)))
        loss = keras.losses.categorical_crossentropy(
            y, model(x), from_logits=True
        )
        assert known["evaluation"]["examples"] == 24
        assert known["evaluation"]["loss"] == pytest.approx(np.mean(loss))
        for name in ("sharpness", "worst", "average", "path"):
            assert known[name]["rho"] == 0.1
        assert known["sharpness"]["sizes"] == [10, 10, 4]
        assert known["sharpness"]["loss"] == pytest.approx(
            np.mean(loss), rel=1e-5
        )
        assert all(result["complete"] for result in known.values())


def test_figures_and_page(folder):
    page = (folder / "out" / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 6
    # Nothing is fetched from elsewhere.
    assert not re.search(r'(src|href)="(?!data:)', page)
    for name in (">first<", "1.keras", "sharpness, 2 steps", "rho = 0.1"):
        assert name in page
    for kind in ("svg", "png"):
        assert len(list((folder / "out").glob(f"*.{kind}"))) == 6


def test_figures_come_from_the_numbers_alone(folder, tmp_path):
    content = json.loads((folder / "out" / "landscape.json").read_text())
    for name in figures.draw_all(content, tmp_path):
        for kind in ("svg", "png"):
            again = (tmp_path / f"{name}.{kind}").read_bytes()
            assert again == (folder / "out" / f"{name}.{kind}").read_bytes()


def test_what_is_measured_is_not_measured_again(folder, monkeypatch):
    file = folder / "out" / "landscape.json"
    content = json.loads(file.read_text())
    first = next(iter(content.values()))
    gone = first.pop("trace")
    first["line"]["complete"] = False
    file.write_text(json.dumps(content))
    measured = []
    functions = measurements.measurements

    def spied(settings):
        return {
            name: lambda at, show, name=name, function=function: (
                measured.append(name) or function(at, show)
            )
            for name, function in functions(settings).items()
        }

    monkeypatch.setattr(measurements, "measurements", spied)
    run(folder / "out", checkpoint=checkpoints(folder))
    assert measured == ["trace", "line"]
    content = json.loads(file.read_text())
    again = next(iter(content.values()))["trace"]
    assert again["value"] == pytest.approx(gone["value"])


def test_other_settings_need_another_folder(folder):
    with pytest.raises(ValueError, match="--rho: 0.1 there, 0.2 here"):
        run(folder / "out", checkpoint=checkpoints(folder), rho=0.2)


def test_bad_checkpoints(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no --checkpoint=nowhere"):
        run(tmp_path / "out", checkpoint=["nowhere"])
    inputs = keras.Input((6,))
    other = str(tmp_path / "other.keras")
    keras.Model(inputs, keras.layers.Dense(3)(inputs)).save(other)
    with pytest.raises(ValueError, match="must fit the model. Received"):
        run(tmp_path / "out", checkpoint=[other])
    assert not (tmp_path / "out").exists()


def test_two_replicas(folder):
    """The landscape of a checkpoint that was opened in a strategy's scope."""
    arrays = data.load("digits", str(folder / "tfds"))
    path = str(folder / "0.keras")
    one, _ = measurements.open_landscape(path, SETTINGS, arrays)
    with testing.two_replicas().scope():
        two, _ = measurements.open_landscape(path, SETTINGS, arrays)
    assert two.loss(two.params) == pytest.approx(one.loss(one.params))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
