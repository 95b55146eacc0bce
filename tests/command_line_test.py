"""`python -m keras_sam`: what it prints, and its exit status."""

import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_sam import landscape
from keras_sam import recipes
from keras_sam.__main__ import parser  # As the program has it.
from tests.support import testing


def refused(capsys, *arguments):
    """Returns what a command says that ends with status 2."""
    with pytest.raises(SystemExit) as caught:
        parser.main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert not out
    return err


def test_methods(capsys):
    assert parser.main(["methods"]) == 0
    assert capsys.readouterr().out == f"{recipes.RECIPES}\n"
    assert parser.main(["methods", "*LOOK*"]) == 0
    assert capsys.readouterr().out == f"{recipes.search('look')}\n"
    assert parser.main(["methods", "Foret"]) == 0
    assert "m_sam" in capsys.readouterr().out
    assert "Received: 'nosuch'" in refused(capsys, "methods", "nosuch")


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_show(name, capsys):
    row = recipes.RECIPES[name]
    assert parser.main(["show", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: {row.heading}\n\n")
    joined = re.sub(r"\s+", "", out)
    paper = row.paper.citation() if row.paper else ""
    for text in (
        *(paper, row.source, f"Use: {row.use}", f"Rule: {row.confirmation}"),
        *(row.numbers, row.call(), row.cost),
    ):
        assert re.sub(r"\s+", "", text) in joined
    assert ("Paper: " in out) == bool(row.paper)
    assert ("Climb: none" in out) == (row.arguments.get("ascent_steps") == 0)
    # The code runs as it stands.
    code = re.findall(r"^    (from keras_sam .*|sam = .*)$", out, re.MULTILINE)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if name not in ("sam_on", "last_layer"):  # They need other layers.
        exec("\n".join(code), {"model": model})


def test_show_breaks_no_name(capsys):
    """The name of a repository can be copied."""
    parser.main(["show", "lookbehind"])
    assert "(chandar-lab/Lookbehind-SAM," in capsys.readouterr().out


def test_show_takes_titles_and_names_the_nearest(capsys):
    parser.main(["show", "Friendly-SAM"])
    assert capsys.readouterr().out.startswith("friendly: Friendly SAM")
    assert "Did you mean 'gsam'" in refused(capsys, "show", "gsamm")


@pytest.mark.parametrize("command", [[], ["methods"], ["show"], ["landscape"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.main([*command, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m keras_sam")
    if command in ([], ["landscape"]):
        assert "examples:\n" in out
        assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("command", [[], ["show"], ["nosuch"], ["show", "--x"]])
def test_a_wrong_command(command, capsys):
    assert "error:" in refused(capsys, *command)


def test_as_a_program():
    """The one test of a process of its own, which imports TensorFlow anew."""
    result = subprocess.run(
        [sys.executable, "-m", "keras_sam", "methods", "asam"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0
    assert result.stdout == f"{recipes.search('asam')}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    x, y = testing.data(20)
    np.savez(folder / "data.npz", x=x, y=y)
    np.savez(folder / "other.npz", inputs=x, y=y)
    for name in ("one", "two"):
        model = testing.dense_net()
        model.compile("sgd", testing.cross_entropy())
        model.save(folder / f"{name}.keras")
    testing.dense_net().save(folder / "bare.keras")
    return folder


QUICK = ("--draws=2", "--products=8", "--batch_size=8", "--examples=12")


def test_landscape(folder, capsys):
    files = [f"SGD={folder}/one.keras", str(folder / "two.keras")]
    data = str(folder / "data.npz")
    assert (
        parser.main(
            ["landscape", *files, data, "--rho=0.1", "--ascent_steps=2", *QUICK]
        )
        == 0
    )
    out, err = capsys.readouterr()
    assert "SGD: sharpness" in err
    head, *lines = out.splitlines()
    assert head.split() == ["SGD", files[1]]
    numbers = [line.split("  ")[-1].strip() for line in lines]
    model = keras.saving.load_model(folder / "two.keras")
    x, y = testing.data(20)
    at = landscape.Landscape(model, x[:12], y[:12], batch_size=8)
    worst = landscape.sharpness(at, 0.1, ascent_steps=2)
    average = landscape.average_sharpness(at, 0.1, draws=2)
    top = landscape.eigenvalues(at, iterations=8)
    assert numbers == [
        "12",
        *(
            f"{number:.4g}"
            for number in (
                *(worst.loss, worst.one_step, worst.value),
                *(average.value, average.standard_error),
                *(top.values[0], top.residuals[0]),
            )
        ),
    ]


def test_landscape_with_a_loss_of_its_own(folder, capsys, tmp_path):
    data = str(folder / "data.npz")
    bare = str(folder / "bare.keras")
    loss = "--loss=sparse_categorical_crossentropy"
    short = ("--ascent_steps=1", *QUICK)
    file = tmp_path / "loss.png"
    given = [loss, "--from_logits", f"--plot={file}", *short]
    parser.main(["landscape", bare, data, *given])
    assert file.read_bytes().startswith(b"\x89PNG")
    out = capsys.readouterr().out
    x, y = testing.data(20)
    outputs = keras.saving.load_model(bare)(x[:12])
    expected = keras.ops.mean(
        keras.losses.sparse_categorical_crossentropy(
            y[:12], outputs, from_logits=True
        )
    )
    (line,) = [line for line in out.splitlines() if line.startswith("loss ")]
    assert float(line.split()[1]) == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["one.keras", "other.npz"], "must have the arrays x and y. It has"),
        (["one.keras", "none.npz"], "must be an .npz file at this path"),
        (["none.keras", "data.npz"], "must be a model at this path"),
        (["bare.keras", "data.npz"], "without a loss. Give it as --loss="),
        (["one.keras", "data.npz", "--rho=-1"], "`rho` must be"),
        (["one.keras", "one.keras", "data.npz"], "different names"),
        (["one.keras", "data.npz", "--draws=x"], "invalid int value"),
    ],
)
def test_landscape_of_wrong_input(arguments, text, folder, capsys):
    given = [a if a[:2] == "--" else str(folder / a) for a in arguments]
    assert text in refused(capsys, "landscape", *given)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
