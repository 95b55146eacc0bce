"""Tests of the example scripts, on real digits and without a network."""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl import flags
from absl.testing import flagsaver

import keras_sam
from examples import compare
from examples import data
from examples import digits
from examples import methods
from examples import models
from examples import options
from examples import runs
from examples import summary
from examples import train
from examples.study import grid as study_grid
from tests.support import testing

ROOT = pathlib.Path(train.__file__).parents[1]


@pytest.fixture(autouse=True)
def one_strategy(monkeypatch):
    monkeypatch.setitem(
        options.STRATEGIES, "mirrored", lambda settings: testing.two_replicas()
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.fixture(scope="module")
def arrays(data_dir):
    return data.load("digits", data_dir)


@pytest.fixture
def tiny():
    """Sixteen random images in three classes."""
    random = np.random.RandomState(0)
    images = random.randint(0, 255, (16, 8, 8, 1)).astype(np.uint8)
    labels = random.randint(0, 3, 16)
    return data.Arrays((images, labels), (images, labels), 3)


def parse(*arguments):
    """Returns the settings of a command line."""
    with flagsaver.flagsaver():
        flags.FLAGS(["train", "--output_dir=unused", *arguments])
        return options.settings()


def command(module, *arguments):
    return dict(
        args=[sys.executable, "-m", f"examples.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


# Models: parameter counts from the literature.


@pytest.mark.parametrize(
    ("name", "classes", "expected"),
    [
        ("resnet-18", 10, 11_173_962),
        ("wrn-16-4", 10, 2_748_890),
        ("wrn-28-10", 10, 36_479_194),
        ("wrn-28-10", 100, 36_536_884),
    ],
)
def test_parameter_count(name, classes, expected):
    model = models.build(name, (32, 32, 3), classes)
    sizes = [np.prod(v.shape) for v in model.trainable_variables]
    assert sum(sizes) == expected


@pytest.mark.parametrize("name", ["wrn-27-10", "wrn-4-1", "wrn-28-0", "vgg"])
def test_unknown_model(name):
    with pytest.raises(ValueError, match=name):
        models.build(name, (8, 8, 1), 10)


# Data.


def test_digits_splits(arrays):
    (train_x, train_y), (test_x, test_y) = arrays.train, arrays.test
    assert train_x.shape == (1437, 8, 8, 1)
    assert test_x.shape == (360, 8, 8, 1)
    assert train_x.dtype == np.uint8
    assert train_x.min() == 0 and train_x.max() == 16
    total = np.bincount(train_y) + np.bincount(test_y)
    assert np.abs(np.bincount(test_y) - total / 5).max() < 1


def test_digits_are_those_of_scikit_learn(arrays):
    from sklearn import datasets

    everything = np.concatenate([arrays.train[0], arrays.test[0]])
    everything = everything.reshape(-1, 64)
    original = datasets.load_digits().data
    assert sorted(map(tuple, everything)) == sorted(map(tuple, original))


def test_digits_are_deterministic(arrays, tmp_path):
    again = data.load("digits", str(tmp_path))
    for split in ("train", "test"):
        for old, new in zip(getattr(arrays, split), getattr(again, split)):
            np.testing.assert_array_equal(old, new)


def test_digits_survive_another_process_preparing(monkeypatch, tmp_path):
    original = digits.Digits._split_generators

    def slow(self, dl_manager):
        monkeypatch.setattr(digits.Digits, "_split_generators", original)
        tfds.builder("digits", data_dir=tmp_path).download_and_prepare()
        return original(self, dl_manager)

    monkeypatch.setattr(digits.Digits, "_split_generators", slow)
    assert len(data.load("digits", str(tmp_path)).train[1]) == 1437


def test_no_network(monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="--dataset=digits") as caught:
        data.load("cifar10", str(tmp_path))
    assert time.monotonic() - start < 30
    assert "Connection" in repr(caught.value.__cause__)


def test_label_noise(arrays):
    labels = arrays.train[1]
    before = labels.copy()
    noisy = data.with_label_noise(labels, 0.3, 10, seed=1)
    np.testing.assert_array_equal(labels, before)
    changed = noisy != labels
    assert changed.sum() == round(0.3 * len(labels))
    assert noisy.min() >= 0 and noisy.max() <= 9
    shifts = (noisy - labels)[changed] % 10
    assert set(shifts) == set(range(1, 10))
    again = data.with_label_noise(labels, 0.3, 10, seed=1)
    np.testing.assert_array_equal(noisy, again)
    assert (data.with_label_noise(labels, 0.3, 10, seed=2) != noisy).any()
    assert (data.with_label_noise(labels, 1.0, 10, seed=1) != labels).all()


def test_label_noise_spares_the_test_split(arrays, data_dir):
    noisy = train.load_data(
        parse("--label_noise=0.4", f"--data_dir={data_dir}")
    )
    assert (
        np.mean(noisy.train[1] != arrays.train[1]) == round(0.4 * 1437) / 1437
    )
    np.testing.assert_array_equal(noisy.test[1], arrays.test[1])
    np.testing.assert_array_equal(noisy.train[0], arrays.train[0])


def test_batches_depend_on_seed_and_epoch_alone(arrays):
    def collect(seed, epochs):
        batches = data.train_batches(arrays, 128, seed, epochs, (1, True))
        return [(x.numpy(), y.numpy()) for x, y in batches]

    three = collect(0, range(3))
    assert len(three) == 3 * 11
    for old, new in zip(three[22:], collect(0, range(2, 3)), strict=True):
        np.testing.assert_array_equal(old[0], new[0])
        np.testing.assert_array_equal(old[1], new[1])
    assert (three[0][0] != three[11][0]).any()
    assert (three[0][0] != collect(1, range(1))[0][0]).any()


def test_an_epoch_holds_each_example_once(tiny):
    x = np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1)
    tiny = data.Arrays((x, tiny.train[1]), tiny.test, 3)
    batches = data.train_batches(tiny, 4, 0, range(1))
    images = np.concatenate([image.numpy() for image, _ in batches]).ravel()
    expected = (np.arange(16) - x.mean()) / x.std()
    np.testing.assert_allclose(np.sort(images), expected, rtol=1e-5)


def test_augmentation_shifts_and_mirrors(tiny):
    x = np.zeros((64, 5, 5, 1), np.uint8)
    x[:, 2, 2], x[:, 2, 3] = 100, 200  # A pair that tells left from right.
    arrays = data.Arrays((x, np.zeros(64, int)), tiny.test, 3)
    ((images, _),) = data.train_batches(arrays, 64, 0, range(1), (1, True))
    seen = set()
    for image in images.numpy()[..., 0]:
        bright = np.unravel_index(image.argmax(), image.shape)
        row, left = image[bright[0]], bright[1] > 0
        mirrored = not (left and row[bright[1] - 1] > row.min())
        seen.add((bright[0] - 2, mirrored))
    assert seen == {(r, m) for r in (-1, 0, 1) for m in (False, True)}


def test_augmentation_by_default_is_for_cifar():
    assert data.augmentation("cifar10", "auto") == (4, True)
    assert data.augmentation("digits", "auto") == (0, False)
    assert data.augmentation("digits", "true") == (1, False)
    assert data.augmentation("cifar10", "false") == (0, False)
    with pytest.raises(ValueError, match="imagenet"):
        data.augmentation("imagenet", "true")


# Flags.


@pytest.mark.parametrize(
    "argument",
    [
        "--epochs=0",
        "--batch_size=0",
        "--rho=-0.1",
        "--ascent_steps=-1",
        "--radius=half",
        "--method=sammy",
        "--direction=none",
        "--direction=up",
        "--direction=Last",
        "--direction=Adaptive(eta=-1)",
        "--direction=Adaptive(zeta=1)",
        "--direction=Adaptive(eta=",
        "--direction=__import__('os')",
        "--descent=Slerp(1.5)",
        "--cadence=Every(k=0)",
        "--start=Momentum(decay=1)",
        "--ascent_samples=Drawn(fraction=2)",
        "--descent_samples=0.5",
        "--rho_min=-1",
        "--num_batch_splits=0",
        "--label_noise=1.1",
        "--dropout=1",
        "--momentum=1",
        "--ema_decay=1",
        "--gradient_clipping=0",
        "--learning_rate=-1",
        "--model=wrn-27-1",
        "--warmup_epochs=30",
        "--mixed_precision=float8",
    ],
)
def test_bad_flag(argument):
    name = argument[2:].split("=")[0]
    with pytest.raises(flags.Error, match=name):
        parse(argument)


@pytest.mark.parametrize("name", methods.PARTS)
def test_bad_part(name):
    """The error says what would do, what was given, and what is wrong."""
    with pytest.raises(flags.Error) as caught:
        parse(f"--{name}=Down(by=1)")
    message = str(caught.value)
    assert re.search(rf"--{name} must be (none or )?a part as ", message)
    for known in methods.names(name):
        assert repr(known) in message
    assert "Received: 'Down(by=1)'" in message
    with pytest.raises(flags.Error, match="go by name"):
        parse(f"--{name}={known}(1)")


@pytest.mark.parametrize(
    "arguments", ["--lr_schedule=constant", "--method=sgd"]
)
def test_rho_min_needs(arguments):
    with pytest.raises(flags.Error, match="--rho_min needs"):
        parse("--rho_min=0.01", arguments)


_TABLES = {
    "method": ("sam", "asam", "eigen", "wsam"),
    "cadence": ("Every", "LatePhase", "Reuse(k=2)", "Threshold"),
    "radius": ("split", "full", "projected", "matched"),
    "xla": options.XLA,
    "strategy": ("none", "mirrored"),  # Others: launch_test.py, tpu_test.py.
    "lr_schedule": options.SCHEDULES,
    # The largest comes first, where the rest costs least.
    "model": ("resnet-18", "cnn", "mlp", "wrn-10-1"),
    "mixed_precision": ("float32", "mixed_float16", "mixed_bfloat16"),
}
# The ones for signals and the deep one: study_test.py and tuning_test.py.
_OTHERS = {"cnn-1d", "cnn-1d-wide", "mlp-deep"}
assert set(models.MODELS) - _OTHERS < set(_TABLES["model"])
_LONGEST = max(map(len, _TABLES.values()))
# The first entries of all tables, then the second ones, ...; then the rest.
_ONE_STEP = [
    " ".join(
        f"--{flag}={tuple(table)[number % len(table)]}"
        for flag, table in _TABLES.items()
    )
    for number in range(_LONGEST)
] + [
    "--ascent_steps=0",
    "--ascent_steps=2 --descent=Mean --num_batch_splits=2",
    "--sync_perturbations --perturb=kernel --label_smoothing=0.1",
    "--gradient_clipping=1 --nesterov --no_weight_decay_on_bn",
]


def built(settings, arrays):
    strategy = options.STRATEGIES[settings.strategy](settings)
    return train.build(settings, arrays, strategy)


@pytest.mark.parametrize("arguments", _ONE_STEP)
def test_every_choice_trains(arguments, tiny):
    keras.utils.clear_session()
    # The model comes first, so that an argument naming another one wins.
    settings = parse("--model=mlp", "--batch_size=16", *arguments.split())
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(settings.mixed_precision)
    try:
        model = built(settings, tiny)
        before = model.model.get_weights()
        batches = data.train_batches(tiny, 16, 0, range(1))
        logs = model.fit(batches, shuffle=False, verbose=0).history
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(logs["loss"]).all()
    after = model.model.get_weights()
    assert any((b != a).any() for b, a in zip(before, after, strict=True))


def without(name, config, found):
    """Returns a config without the fields of a name, which go to `found`."""
    if isinstance(config, dict):
        found += [v for k, v in config.items() if k == name]
        return {
            k: without(name, v, found) for k, v in config.items() if k != name
        }
    return config


@pytest.mark.parametrize("name", keras_sam.recipes.RECIPES)
def test_method_is_its_recipe(name, tiny):
    arguments = keras_sam.recipes.RECIPES[name].arguments
    settings = parse(f"--method={name}", "--batch_size=8", "--epochs=5")
    model = built(settings, tiny)
    expected = keras_sam.SAM(model.model, **arguments)
    configs, steps, of_epochs = [], [[], []], [[], []]
    for i, sam in enumerate((model, expected)):
        config = sam.get_config()
        del config["name"], config["model"]  # Numbered; the same.
        config = without("steps", config, steps[i])
        configs.append(without("steps_per_epoch", config, of_epochs[i]))
    assert configs[0] == configs[1]
    assert steps[0] == [5 * 2] * len(steps[1])
    assert bool(steps[0]) == (name in ("ae_sam", "late_phase", "ssam_d"))
    # 1 says that a part does not go by epochs.
    assert of_epochs[0] == [2 if n > 1 else 1 for n in of_epochs[1]]
    assert (2 in of_epochs[0]) == (name == "ssam_f_epochs")


def test_flags_override_the_method(tiny):
    def of(*arguments):
        return built(parse("--model=mlp", "--batch_size=16", *arguments), tiny)

    model = of("--method=asam", "--rho=2", "--ascent_steps=3", "--radius=full")
    assert (model.rho, model.ascent_steps, model.radius) == (2.0, 3, "full")
    assert model.direction == keras_sam.directions.Adaptive()
    model = of(
        "--method=esam",
        "--direction=Adaptive(eta=0.2)",
        "--descent=Mean",
        "--cadence=Every(k=2, start=1)",
        "--start=Momentum(decay=0.5)",
        "--ascent_samples=Drawn(fraction=0.5)",
        "--descent_samples=none",
        "--perturb=kernel",
        "--num_batch_splits=2",
    )
    assert model.direction == keras_sam.directions.Adaptive(eta=0.2)
    assert model.descent == keras_sam.descents.Mean()
    assert model.cadence == keras_sam.cadences.Every(2, start=1)
    assert model.start == keras_sam.starts.Momentum(0.5)
    assert model.ascent_samples == keras_sam.samples.Drawn(0.5)
    assert model.descent_samples is None
    assert model.perturb == "kernel"
    assert model.num_batch_splits == 2
    model = of("--sync_perturbations", "--direction=Sparse(mask=FisherMask)")
    assert model.sync_perturbations
    assert model.direction == keras_sam.directions.Sparse()


def test_a_part_may_be_given_the_steps_of_the_training(tiny):
    settings = parse(
        *("--model=mlp", "--batch_size=16", "--epochs=3"),
        "--direction=Sparse(mask=DynamicMask(drop=0.1), period=2)",
        "--cadence=Threshold(steps=7)",
    )
    model = built(settings, tiny)
    assert model.direction.mask == keras_sam.directions.DynamicMask(3, drop=0.1)
    assert model.cadence.steps == 7


def test_rho_falls_with_the_learning_rate(tiny):
    settings = parse(
        *("--model=mlp", "--batch_size=8", "--epochs=5", "--method=gsam"),
        *("--rho=0.2", "--rho_min=0.1"),
    )
    rho = built(settings, tiny).rho
    values = [float(rho(step)) for step in (0, 5, 10)]
    assert values == pytest.approx([0.2, 0.15, 0.1], abs=1e-6)


@pytest.mark.parametrize(
    "recipe", keras_sam.recipes.RECIPES.values(), ids=keras_sam.recipes.RECIPES
)
def test_a_part_is_read_as_it_prints_itself(recipe):
    for name in methods.PARTS:
        part = recipe.arguments.get(name)
        if part is not None:
            assert methods.part(name, repr(part), steps=1) == part


def test_schedules():
    for name, at_end in (("cosine", 0.0), ("step", 0.008), ("constant", 1.0)):
        s = parse(f"--lr_schedule={name}", "--learning_rate=1", "--epochs=10")
        schedule = options.SCHEDULES[name](s, 5)
        if name == "constant":
            assert schedule == at_end
            continue
        assert float(schedule(0)) == pytest.approx(1.0)
        assert float(schedule(50)) == pytest.approx(at_end, abs=1e-6)
    s = parse("--warmup_epochs=2", "--learning_rate=1", "--epochs=10")
    schedule = options.SCHEDULES["cosine"](s, 5)
    values = [float(schedule(step)) for step in (0, 5, 10, 50)]
    assert values == pytest.approx([0.0, 0.5, 1.0, 0.0], abs=1e-6)


# Runs. All state there is: momentum, averages, dropout, batch statistics.

_EPOCHS = 6
_RUN = (
    f"--epochs={_EPOCHS}",
    "--model=cnn",
    "--dropout=0.3",
    "--ascent_steps=2",
    "--ema_decay=0.9",
    "--augment=true",
    "--label_noise=0.2",
    "--notensorboard",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    """(folder, result) of an uninterrupted run in this process."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, run_here(folder, data_dir)


def run_here(folder, data_dir, *arguments):
    # flagsaver has set the placeholder folder; a later argument wins.
    places = (f"--output_dir={folder}", f"--data_dir={data_dir}")
    return train.train(parse(*_RUN, *places, *arguments))


def assert_same_run(folder, other):
    """Equal weights and histories, to the bit."""
    results = [
        json.loads((f / "result.json").read_text()) for f in (folder, other)
    ]
    for result in results:
        for epoch in result["history"]:
            del epoch["seconds"], epoch["with_compilation"]
        for name in ("train_seconds", "seconds_per_epoch"):
            del result[name]
    assert results[0] == results[1]
    weights = [
        keras.saving.load_model(f / "model.keras", compile=False).get_weights()
        for f in (folder, other)
    ]
    for one, two in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_killed_run_continues_to_the_bit(finished, data_dir, tmp_path):
    places = (f"--output_dir={tmp_path}", f"--data_dir={data_dir}")
    process = subprocess.Popen(**command("train", *_RUN, *places))
    second = tmp_path / "checkpoints" / "ckpt-2.index"
    while not second.exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    output, _ = process.communicate()
    assert second.exists(), output
    assert not (tmp_path / "result.json").exists(), "killed too late"
    # What a write cut short would leave of the next checkpoint.
    for number in range(2, _EPOCHS):
        index = tmp_path / "checkpoints" / f"ckpt-{number + 1}.index"
        if not index.exists():
            index.write_bytes(b"cut sh")
            break
    process = subprocess.run(**command("train", *_RUN, *places), check=False)
    assert process.returncode == 0, process.stdout
    assert f"Epoch {_EPOCHS}/{_EPOCHS}" in process.stdout
    assert f"Epoch 1/{_EPOCHS}" not in process.stdout
    assert "Start:   continues after epoch " in process.stdout
    # The library's own line is no chatter.
    assert "BackupAndRestore has restored" in process.stdout
    assert_same_run(finished[0], tmp_path)


def test_run_stopped_in_mid_epoch(finished, data_dir, tmp_path, monkeypatch):
    begin = runs.Backup.on_train_batch_begin

    def stop(self, batch, logs=None):
        begin(self, batch, logs)
        if (self.epoch, batch) == (1, 6):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs.Backup, "on_train_batch_begin", stop)
        with pytest.raises(KeyboardInterrupt):
            run_here(tmp_path, data_dir, "--checkpoint_steps=4")
    backup = keras_sam.BackupAndRestore(tmp_path / "checkpoints")
    assert (backup.epoch, backup.step) == (1, 4)
    run_here(tmp_path, data_dir)
    assert_same_run(finished[0], tmp_path)


def test_run_killed_before_its_result(finished, data_dir, tmp_path):
    folder, _ = finished
    (tmp_path / "checkpoints").mkdir()
    for file in folder.rglob("*"):
        if file.name not in ("result.json", "model.keras") and file.is_file():
            copy = tmp_path / file.relative_to(folder)
            copy.write_bytes(file.read_bytes())
    run_here(tmp_path, data_dir)
    assert_same_run(folder, tmp_path)


def test_replicated_run_is_restored(data_dir, tmp_path):
    flags_of_run = (
        *("--strategy=mirrored", "--model=mlp", "--epochs=2"),
        "--cadence=Every(k=3)",
    )
    first = run_here(tmp_path, data_dir, *flags_of_run)
    assert first["steps"] == 22
    assert first["climbs"] == 8  # In steps 0, 3, ..., 21; with two steps each.
    assert first["gradient_evaluations"] == 22 + 2 * 8
    (tmp_path / "result.json").unlink()
    second = run_here(tmp_path, data_dir, *flags_of_run)
    assert second == first


def test_finished_run_is_not_repeated(finished, data_dir):
    folder, result = finished
    before = (folder / "result.json").stat().st_mtime_ns
    assert run_here(folder, data_dir) == result
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_other_settings_are_refused(finished, data_dir):
    with pytest.raises(ValueError) as caught:
        run_here(finished[0], data_dir, "--method=gsam", "--seed=7")
    assert "--method: 'sam' there, 'gsam' here" in str(caught.value)
    assert "--seed: 0 there, 7 here" in str(caught.value)
    assert "--epochs" not in str(caught.value)


def test_runs_of_another_backend_are_refused(tmp_path):
    """Its results would pass for those of this one."""
    settings = {"epochs": 2}
    runs.claim(tmp_path, settings)
    runs.check(tmp_path, settings)
    path = tmp_path / "settings.json"
    path.write_text(path.read_text().replace("tensorflow", "jax"))
    with pytest.raises(ValueError, match="KERAS_BACKEND: 'jax' there, 'tens"):
        runs.check(tmp_path, settings)


def test_result(finished):
    folder, returned = finished
    result = json.loads((folder / "result.json").read_text())
    assert result == returned
    assert result["steps"] == 11 * _EPOCHS
    assert result["climbs"] == result["steps"]
    assert result["gradient_evaluations"] == 3 * result["steps"]
    assert result["example_gradients"] == 128 * 3 * result["steps"]
    assert result["trainable_parameters"] == 16794
    assert result["settings"]["label_noise"] == 0.2
    assert "output_dir" not in result["settings"]
    assert len(result["history"]) == _EPOCHS
    assert {"accuracy", "val_accuracy", "loss", "val_loss", "seconds"} < set(
        result["history"][0]
    )
    assert set(result["versions"]) >= {"keras", "tensorflow", "keras_sam"}
    assert result["devices"]
    assert result["test_accuracy"] > 0.5
    saved = keras.saving.load_model(folder / "model.keras")
    assert saved.count_params() == result["parameters"]


def test_splits_count_as_evaluations(tiny):
    settings = parse(
        *("--model=mlp", "--num_batch_splits=4", "--batch_size=8"), "--epochs=5"
    )
    cost = runs.cost(
        settings,
        built(settings, tiny),
        train.steps_per_epoch(settings, tiny),
        [],
    )
    assert cost["gradient_evaluations"] == 5 * 2 * 2 * 4
    assert cost["example_gradients"] == 5 * 2 * 2 * 8


def test_steps_must_fit_the_execution(data_dir):
    settings = parse("--steps_per_execution=4", f"--data_dir={data_dir}")
    with pytest.raises(ValueError, match="--steps_per_execution=4"):
        train.load_data(settings)


def test_diverged_run_stops(data_dir, tmp_path):
    with pytest.raises(FloatingPointError, match="epoch 1 is"):
        run_here(
            tmp_path,
            data_dir,
            "--model=mlp",
            "--method=sgd",
            "--learning_rate=1e30",
        )
    assert not (tmp_path / "result.json").exists()


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    runs.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        runs.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_summary():
    result = dict(gradient_evaluations=7, train_seconds=2.0)
    accuracies = (0.5, 0.6, 0.7)
    (row,) = summary.summarize(
        {"SAM": [dict(result, test_accuracy=value) for value in accuracies]}
    )
    assert row["test_accuracy_percent"] == pytest.approx(60.0)
    assert row["deviation"] == pytest.approx(10.0)
    assert "60.00 ± 10.00" in summary.table([row])


def test_the_demo_is_a_choice_of_the_study():
    """Network and radius are of the small grid, the seeds of none."""
    task = study_grid.CONFIGS["small"].tasks[0]
    assert compare.DEFAULTS["model"] == task.model
    assert compare.DEFAULTS["rho"] in task.rhos
    for name in ("label_noise", "steps_per_execution"):
        assert (
            compare.DEFAULTS[name] == {**task.flags, "label_noise": 0.3}[name]
        )
    assert compare.FIRST_SEED > max(
        c.seeds for c in study_grid.CONFIGS.values()
    )


def test_compare(data_dir, tmp_path):
    process = subprocess.run(
        **command(
            "compare",
            f"--output_dir={tmp_path}",
            f"--data_dir={data_dir}",
            "--model=mlp",
            "--epochs=1",
            "--seeds=1",
            "--jobs=1",
            "--deterministic",
        ),
        check=False,
    )
    assert process.returncode == 0, process.stdout
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == list(compare.METHODS)
    evaluations = [float(row["gradient_evaluations"]) for row in rows]
    assert evaluations == [11, 22, 44, 44, 44]
    assert all(row["method"] in process.stdout for row in rows)
    assert "5 runs, 1 at a time; 0 are finished." in process.stdout
    logs = [file.read_text() for file in tmp_path.rglob("log.txt")]
    for text in (process.stdout, *logs):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)
    assert all("Epoch 1/1: accuracy " in log for log in logs)
    assert len(logs) == len(compare.METHODS)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
