"""The public names, and that what the README shows runs."""

import inspect
import os
import pathlib
import re
import subprocess
import sys

import keras
import pytest

import keras_sam
from keras_sam import descents
from keras_sam import directions
from tests import testing

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RECIPES = re.findall(r"^\|[^|]*\| `(SAM\(.*?\))` \|", README, re.MULTILINE)


def public(module):
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }


def test_public_names():
    assert public(keras_sam) == {
        *("SAM", "SharpnessAwareMinimization", "Part", "BackupAndRestore")
    }
    assert keras_sam.SAM is keras_sam.SharpnessAwareMinimization
    own = {
        name
        for module in (directions, descents)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    assert own == {
        *("Normalized", "Unnormalized", "Adaptive", "Layerwise"),
        *("Last", "Mean"),
    }


def test_arguments():
    """Users and scripts rely on names, order and defaults."""
    signature = inspect.signature(keras_sam.SAM.__init__)
    defaults = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if name not in ("self", "model")
    }
    assert defaults == {
        "rho": 0.05,
        "num_batch_splits": None,
        "ascent_steps": 1,
        "radius": "split",
        "direction": directions.Normalized(),
        "descent": descents.Last(),
        "perturb": None,
        "sync_perturbations": False,
        "track": False,
        "xla": "auto",
        "name": None,
    }
    positional = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert positional == ["self", "model", "rho", "num_batch_splits"]


@pytest.mark.parametrize(
    "value",
    [keras_sam.SAM, keras_sam.Part, directions, descents]
    + [directions.Normalized, directions.Unnormalized, directions.Adaptive]
    + [directions.Layerwise, descents.Last, descents.Mean],
)
def test_docstrings(value):
    documented = inspect.getdoc(value)
    assert len(documented) > 20
    own = inspect.isclass(value) and value is not keras_sam.Part
    assert not own or "arXiv:" in documented


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", README, re.S)
)
def test_readme_block(block):
    exec(block, {})


def test_readme_has_recipes():
    assert len(RECIPES) > 10


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_trains(recipe):
    names = {**vars(directions), **vars(descents), "SAM": keras_sam.SAM}
    keras.utils.set_random_seed(0)
    net = testing.full_net()
    sam = eval(recipe.replace("\\|", "|"), names | {"net": net})
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    before = net.get_weights()
    sam.fit(*testing.data(), verbose=0)
    after = net.get_weights()
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_another_backend_is_an_error():
    result = run(
        "import keras; keras.backend.backend = lambda: 'jax'; import keras_sam"
    )
    assert result.returncode != 0
    assert "set KERAS_BACKEND=tensorflow" in result.stderr
    assert "Received: 'jax'" in result.stderr


def test_no_tensorflow_is_an_error():
    result = run(
        "import sys; sys.modules['tensorflow'] = None; import keras_sam"
    )
    assert result.returncode != 0
    assert "pip install 'keras-sam[tensorflow]'" in result.stderr


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
