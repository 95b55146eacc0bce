"""Tests the public names, and the calls in docs/catalogue.md."""

import inspect
import os
import pathlib
import pydoc
import re
import subprocess
import sys

import keras
import pytest

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import radii
from keras_sam import recipes
from keras_sam import samples
from keras_sam import schedules
from keras_sam import selections
from keras_sam import starts
from tests.support import testing

ROOT = pathlib.Path(__file__).parents[2]
CALLS = re.findall(
    r"^## `(\w+)`: .*\n\n    (SAM\(.*\))$",
    (ROOT / "docs/catalogue.md").read_text(),
    re.MULTILINE,
)
PARTS = {
    cadences: {"Every", "LatePhase", "Randomly", "Threshold", "Reuse"},
    descents: {
        *("Last", "Mean", "Weighted", "Accumulated", "Penalized", "Decoupled"),
        *("SurrogateGap", "Renormalized", "CurvatureRegularized", "Slerp"),
        *("SearchedSlerp", "FirstOrderFlatness", "EigenCorrected"),
        *("Functional", "Mirrored", "Tilted"),
    },
    directions: {
        *("Normalized", "Unnormalized", "Unified", "Adaptive", "Layerwise"),
        *("Fisher", "Friendly", "VarianceSuppressed", "Eigen", "Random"),
        *("Smoothed", "Subset", "Sparse", "FisherMask", "DynamicMask"),
        *("Matching", "LossEquated", "ZScored"),
        *("AdaptiveRandom", "LowerBound", "NoiseFirst"),
    },
    radii: {"LinearInLearningRate", "Settable"},
    samples: {"Largest", "Rising", "Drawn"},
    schedules: {"WarmupStableDecay"},
    selections: {"Normalization"},
    starts: {"Momentum", "Stale", "Random", "AdaptiveRandom"},
}
CLASSES = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module, names in PARTS.items()
    for name in sorted(names)
]
# Parts that come from no paper.
UNPUBLISHED = (descents.Weighted, radii.Settable)


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
    for module in (*PARTS, recipes):
        assert getattr(keras_sam, module.__name__.split(".")[1]) is module


@pytest.mark.parametrize("module", PARTS, ids=lambda module: module.__name__)
def test_public_classes(module):
    assert set(module.__all__) == PARTS[module]


def test_arguments():
    """Users rely on the names, the order and the defaults of arguments."""
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
        "cadence": cadences.Every(),
        "start": None,
        "ascent_samples": None,
        "descent_samples": None,
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


@pytest.mark.parametrize("name", keras_sam.landscape.__all__)
def test_help_prints_no_private_types_of_numpy(name):
    """`ArrayLike` is six lines long there."""
    text = pydoc.render_doc(getattr(keras_sam.landscape, name))
    assert "numpy._" not in text


def test_registered_classes_are_those_of_the_faces():
    """A file names a class by the module that users import it from."""
    private = {"keras_sam>Tracker"}
    registered = {
        name
        for name in keras.saving.get_custom_objects()
        if name.split(">")[0].split(".")[0] == "keras_sam"
    }
    shown = {
        f"{module.__name__}>{name}"
        for module, names in PARTS.items()
        for name in names
    }
    assert registered - private == {
        *shown,
        "keras_sam.model>SharpnessAwareMinimization",
    }
    for name in shown:
        module, _, kind = name.partition(">")
        assert kind in sys.modules[module].__all__
        assert getattr(sys.modules[module], kind).__module__ == module


@pytest.mark.parametrize("value", [keras_sam.SAM, keras_sam.Part, *PARTS])
def test_docstrings(value):
    assert len(inspect.getdoc(value)) > 20


@pytest.mark.parametrize("part", CLASSES)
def test_docstring_of_a_part(part):
    """It says what the part computes, has all arguments, and cites a source."""
    documented = part.__doc__
    source = documented.partition("Reference: ")[2]
    if part not in UNPUBLISHED:
        assert re.search(r"arXiv:\d{4}\.\d{5}|OpenReview|Composer", source)
    arguments = documented.partition("    Args:\n")[2]
    for name in list(inspect.signature(part).parameters):
        assert re.search(rf"^ +{name}: ", arguments, re.MULTILINE), name
    first = documented.splitlines()[0]
    assert first.endswith((".", ":"))


def test_every_recipe_has_its_call():
    assert [name for name, _ in CALLS] == list(recipes.RECIPES)


@pytest.mark.parametrize(("name", "call"), CALLS, ids=dict(CALLS))
def test_call_trains(name, call):
    modules = {m.__name__.split(".")[1]: m for m in PARTS}
    keras.utils.set_random_seed(0)
    net = testing.full_net()
    sam = eval(call, {"SAM": keras_sam.SAM, "net": net} | modules)
    expected = keras_sam.SAM(net, **recipes.RECIPES[name].arguments)
    configs = sam.get_config(), expected.get_config()
    for config in configs:
        config.pop("name")  # Numbered.
    assert configs[0] == configs[1]
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    before = net.get_weights()
    sam.train_on_batch(*testing.data())
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
        "import keras\nkeras.backend.backend = lambda: 'torch'\n"
        "import keras_sam"
    )
    assert result.returncode != 0
    assert "KERAS_BACKEND=tensorflow or KERAS_BACKEND=jax" in result.stderr
    assert "Received: 'torch'" in result.stderr


def test_no_tensorflow_is_an_error():
    result = run(
        "import sys; sys.modules['tensorflow'] = None; import keras_sam"
    )
    assert result.returncode != 0
    assert "pip install 'keras-sam[tensorflow]'" in result.stderr


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
