"""README.md: its code runs, its calls are recipes, and its links hold."""

import re
import sys

import keras
import pytest

import keras_sam
from keras_sam import recipes
from tests.support import pages
from tests.support import testing

README = pages.text("README.md")
# One address for all, so that an owner can be named in one command.
REPOSITORY = re.search(
    r"^repo_url: (\S+)$", pages.text("mkdocs.yml"), re.MULTILINE
)[1]
CALLS = dict(
    zip(
        ["sam", "asam", "interval", "momentum", "gsam", "multistep_last"],
        re.findall(r"\| `(SAM\(model, .*\))` \|$", README, re.MULTILINE),
        strict=True,
    )
)
# Where docs/cheaper.md chose other numbers than the recipe has.
CHANGED = {"interval": {"rho": 0.2, "cadence": keras_sam.cadences.Every(k=5)}}


def test_is_short():
    assert len(README.splitlines()) <= 130


def test_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = pages.run("README.md")
    (accuracy,) = (
        metric.result()
        for metric in names["sam"].metrics[1].metrics
        if metric.name == "accuracy"
    )
    assert accuracy > 0.9
    keras.models.load_model("digits.keras").predict(names["x"], verbose=0)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_a_recipe(name):
    model = testing.dense_net()
    modules = {n: getattr(keras_sam, n) for n in keras_sam.__all__}
    sam = eval(CALLS[name], {**modules, "model": model})
    arguments = {**recipes.RECIPES[name].arguments, **CHANGED.get(name, {})}
    expected = keras_sam.SAM(model, **arguments)
    assert repr(sam) == repr(expected)


def test_links_hold_without_the_repository():
    """A page of the package index has no files beside it."""
    picture, *links = re.findall(r"\]\(([^)]+)\)", README)
    # A whole address would show nothing until OWNER has a name: releasing.md.
    assert (pages.ROOT / picture).stat().st_size < 150_000
    assert len(links) > 20
    base = f"{REPOSITORY}/blob/main/"
    for link in links:
        if not link.startswith("https://arxiv.org/abs/"):
            assert link.startswith(base), link
            # mkdocs does not check anchors of README.md, so there are none.
            assert (pages.ROOT / link.removeprefix(base)).is_file(), link


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
