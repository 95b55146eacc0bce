"""The command line of the examples: help, header, progress, packages."""

import io
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

import keras_sam
from examples import compare
from examples import data
from examples import header
from examples import launch
from examples import options
from examples import progress
from examples import runs
from examples import train
from examples import usage
from examples.landscape import measurements
from examples.study import __main__ as study
from examples.study import along
from examples.study import landscapes

ROOT = pathlib.Path(train.__file__).parents[1]
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
OF_OPTIONS = {
    flag.name for flag in flags.FLAGS.flags_by_module_dict()[options.__name__]
}


def defined(source):
    """Returns the names of the flags that a source defines."""
    calls = re.findall(
        r'flags\.DEFINE_\w+\(\s*"(\w+)"|usage\.Action\("(\w+)"',
        pathlib.Path(source).read_text(),
    )
    return {name or other for name, other in calls}


def parse(*arguments):
    """Returns the settings of a command line."""
    with flagsaver.flagsaver():
        flags.FLAGS(["train", "--output_dir=unused", *arguments])
        return options.settings()


# Help.


@pytest.mark.parametrize(
    ("module", "own"),
    [
        (train, ()),
        (compare, ("jobs",)),
        (study, ("jobs",)),
        (along, ("jobs",)),
        (landscapes, ()),
        (launch, ()),
    ],
)
def test_groups_have_every_flag_once(module, own):
    groups = options.GROUPS if module is train else module.GROUPS
    found = [name for names in groups.values() for name in names]
    expected = {*own, *defined(module.__file__)}
    if module is not launch:
        expected |= OF_OPTIONS | {"list_methods"}
    assert sorted(found) == sorted(expected)


def test_list_methods_is_no_setting():
    """Results are known by their settings."""
    assert set(vars(parse())) == OF_OPTIONS
    assert "list_methods" not in OF_OPTIONS


@pytest.mark.parametrize("name", ["help", "helpshort", "h", "list_methods"])
def test_actions_print_and_end_with_status_0(name, capsys):
    own = flags.FlagValues()
    flags.DEFINE_flag(usage.Action(name, "", lambda: "shown"), own)
    flags.DEFINE_string("needed", None, "", own)
    flags.mark_flag_as_required("needed", own)
    with pytest.raises(SystemExit) as caught:
        own(["program", f"--{name}"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == "shown\n"


def test_help_of_a_program():
    """As users see it. This program has flags that options.py has, too."""
    process = subprocess.run(
        [sys.executable, "-m", "examples.landscape", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    first, _, rest = process.stdout.partition("\n")
    assert first.startswith("Measures and draws")
    assert rest.startswith("\n    python -m examples.train")
    shown = re.findall(r"^  --(?:\[no\])?(\w+)", process.stdout, re.MULTILINE)
    source = ROOT / "examples" / "landscape" / "__main__.py"
    assert sorted(shown) == sorted(defined(source))


def test_help_breaks_no_word(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = usage.text({"Method": ("method", "rho", "tensorboard")})
    words = set(re.split(r"[\s,.]+", text))
    assert set(keras_sam.recipes.RECIPES) <= words
    assert max(map(len, text.splitlines())) <= 80
    assert "\nMethod:\n  --method=NAME " in text
    assert "Default: sam." in text
    assert "\n  --rho=NUMBER " in text
    assert "\n  --[no]tensorboard " in text


def test_list_of_methods(capsys):
    with pytest.raises(SystemExit) as caught:
        flags.FLAGS["list_methods"].parse("true")
    assert not caught.value.code
    assert str(keras_sam.recipes.RECIPES) in capsys.readouterr().out


def test_wrong_command_line_is_one_line():
    def main(arguments):
        raise AssertionError

    with pytest.raises(SystemExit) as caught:
        usage._run(main, False, ["program", "word"])
    assert str(caught.value) == "Unknown arguments: ['word'] See --help."
    assert usage._run(len, True, ["program", "word"]) == 2


# Packages.


def test_missing_packages_are_named():
    process = subprocess.run(
        # Without the folder of packages.
        [sys.executable, "-S", "-m", "examples.train", "--help"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert "tensorflow_datasets" in line
    assert 'pip install "keras-sam[examples]"' in line


# Progress.


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def count(unit="Run", **arguments):
    """Does four stages, of which one was done before, in 10 s each."""
    clock = Clock()
    with progress.Progress(
        unit, 4, before=1, clock=clock, **arguments
    ) as shown:
        for number in range(3):
            clock.now += 10
            shown.part(0.5)
            shown.done(f"stage {number}")


def test_lines_elsewhere(capsys):
    count()
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "Run 2/4, about 20 s left: stage 0",
        "Run 3/4, about 10 s left: stage 1",
        "Run 4/4: stage 2",
    ]
    assert not captured.err


def test_bar_on_a_terminal(monkeypatch):
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    count()
    assert not out.getvalue()
    first, *pictures = err.getvalue().split("\r")
    assert not first and pictures[-1].endswith("\n")
    assert pictures[-1].startswith(f"[{20 * '#'}] Run 4/4: stage 2")
    # Half of the first of three stages.
    assert pictures[0].startswith(f"[{3 * '#'}{17 * '.'}] Run 1/4, about 50 s")


@pytest.mark.parametrize("file", ["stdout", "stderr"])
def test_no_bar_where_one_is_redirected(monkeypatch, file):
    """A process of a pool has its stdout in a file, and the same stderr."""
    streams = {"stdout": Terminal(), "stderr": Terminal(), file: io.StringIO()}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    count()
    assert not streams["stderr"].getvalue()
    assert not CONTROL.search(streams["stdout"].getvalue())


def test_estimates_go_by_work(capsys):
    clock = Clock()
    shown = progress.Progress("Run", 2, work=100.0, clock=clock)
    clock.now = 3.0
    shown.done("too little to say", 4.0)
    clock.now = 60.0
    shown.done("a part", 21.0)
    assert capsys.readouterr().out.splitlines() == [
        "Run 1/2: too little to say",
        "Run 2/2, about 3 minutes left: a part",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (91, "2 minutes"), (9000, "2.5 hours")],
)
def test_duration(seconds, words):
    assert progress.duration(seconds) == words


# Runs.


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


def test_header():
    random = np.random.RandomState(0)
    images = random.randint(0, 255, (1600, 8, 8, 1)).astype(np.uint8)
    part = images, random.randint(0, 3, 1600)
    arrays = data.Arrays(part, tuple(a[:9] for a in part), 3)
    settings = parse(
        *("--model=mlp", "--method=gsam", "--rho=0.2", "--label_noise=0.25")
    )
    model = train.build(settings, arrays, options.STRATEGIES["none"](settings))

    class Backup:
        epoch, step = 3, 5

    text = header.text(settings, model, arrays, Backup)
    assert (
        "Data:    digits, 1,600 training and 9 test examples of shape "
        "(8, 8, 1), 3 classes; 25% of the training labels are wrong"
    ) in text
    weights = 64 * 256 + 256 + 256 * 256 + 256 + 256 * 3 + 3
    assert f"Model:   mlp, {weights:,} weights, {weights:,} of them" in text
    assert "Method:  gsam: GSAM" in text
    for line in model.describe().splitlines():
        assert f"\n{' ' * 9}{line}\n" in text
    assert "\nRadius:  rho = 0.2\n" in text
    assert "--strategy=none, replicas: 1; float32" in text
    assert text.endswith(
        "\nStart:   continues after epoch 3, step 5 of the next"
    )
    Backup.epoch = Backup.step = 0
    text = header.text(settings, model, arrays, Backup)
    assert text.endswith("\nStart:   a new run")


def test_a_try_that_fails_leaves_the_folder_free(
    data_dir, tmp_path, monkeypatch
):
    folder = tmp_path / "run"

    def run(*arguments):
        return train.train(
            parse(
                *("--model=mlp", "--epochs=1", "--notensorboard"),
                *(f"--output_dir={folder}", f"--data_dir={data_dir}"),
                *arguments,
            )
        )

    with pytest.raises(ValueError, match="--batch_size=2000"):
        run("--batch_size=2000")
    with pytest.raises(ValueError, match="must match a trainable variable"):
        run("--perturb=nothing")

    def fail(self, batch, logs=None):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(runs.Backup, "on_train_batch_begin", fail)
        with pytest.raises(MemoryError):
            run("--batch_size=256")
    assert not folder.exists()
    result = run("--batch_size=512")
    assert result["settings"]["batch_size"] == 512
    with pytest.raises(ValueError, match="--batch_size: 512 there, 256 here"):
        run("--batch_size=256")


# Names of checkpoints.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SGD:runs/sgd/model.keras", ("SGD", "runs/sgd/model.keras")),
        ("my own:a:b.keras", ("my own", "a:b.keras")),
        ("runs/sgd/model.keras", 2 * ("runs/sgd/model.keras",)),
        ("runs/a:b.keras", 2 * ("runs/a:b.keras",)),
    ],
)
def test_named(text, expected):
    assert measurements.named(text) == expected


def test_a_file_with_a_colon_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("a:b.keras").touch()
    assert measurements.named("a:b.keras") == ("a:b.keras", "a:b.keras")


def test_landscape_stages_have_their_work():
    settings = {
        **dict(rho=0.1, ascent_steps=2, draws=2, eigenvalues=1),
        **dict(products=10, grid=3, seed=0),
    }
    assert list(measurements.work(settings)) == list(
        measurements.measurements(settings)
    )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
