"""What a release says of itself, in the same words everywhere."""

import importlib.metadata
import pathlib
import re
import sys
import tomllib

import pytest

import examples
import keras_sam
import tests

ROOT = pathlib.Path(tests.__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read(name):
    return (ROOT / name).read_text()


def test_version_is_in_one_place():
    """In `__version__`. What repeats it agrees."""
    version = keras_sam.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert "version" not in PROJECT and PROJECT["dynamic"] == ["version"]
    assert re.findall(r"^version: (.*)", read("CITATION.cff"), re.M) == [
        version
    ]
    newest = re.search(r"^## (.*)", read("CHANGELOG.md"), re.M)[1]
    assert re.fullmatch(
        rf"{re.escape(version)} (\(unreleased\)|- \d{{4}}-\d\d-\d\d)", newest
    )


def test_a_released_version_has_one_date():
    newest = re.search(r"^## (.*)", read("CHANGELOG.md"), re.M)[1]
    dates = re.findall(r"\d{4}-\d\d-\d\d", newest)
    cited = re.findall(r"^date-released: (.*)", read("CITATION.cff"), re.M)
    assert cited == dates


def test_citation_is_of_this_package():
    citation = read("CITATION.cff")
    assert citation.startswith("cff-version: 1.2.0\n")
    assert f"license: {PROJECT['license']}\n" in citation
    assert PROJECT["authors"][0]["name"] in citation
    assert 'title: "keras_sam: ' in citation


def test_addresses_have_one_owner():
    """The one of mkdocs.yml, so that one command names it everywhere."""
    (repository,) = re.findall(r"^repo_url: (\S+)$", read("mkdocs.yml"), re.M)
    (site,) = re.findall(r"^site_url: (\S+)$", read("mkdocs.yml"), re.M)
    urls = PROJECT["urls"]
    assert urls["Homepage"] == urls["Repository"] == repository
    assert urls["Documentation"] == site
    assert urls["Issues"] == f"{repository}/issues"
    assert urls["Changelog"] == f"{repository}/blob/main/CHANGELOG.md"


def test_supported_versions():
    """pyproject.toml, its classifiers, the page and the workflow agree."""
    low, high = map(
        int, re.findall(r"3\.(\d+)", PROJECT["requires-python"])
    )  # >= and <
    versions = [f"3.{minor}" for minor in range(low, high)]
    prefix = "Programming Language :: Python :: 3."
    assert versions == [
        f"3.{classifier.removeprefix(prefix)}"
        for classifier in PROJECT["classifiers"]
        if classifier.startswith(prefix)
    ]
    workflow = read(".github/workflows/ci.yml")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    assert re.findall(r'"(.*?)"', matrix) == versions
    assert "run: .ci/run" in workflow
    page = read("docs/versioning.md")
    extras = PROJECT["optional-dependencies"]
    oldest = {
        "Python": versions[0],
        "Keras on TensorFlow": lower_bound(PROJECT["dependencies"], "keras"),
        "TensorFlow": lower_bound(extras["tensorflow"], "tensorflow"),
        "Keras on JAX": lower_bound(extras["jax"], "keras"),
        "JAX": lower_bound(extras["jax"], "jax"),
    }
    for extra in ("tensorflow-cpu", "tensorflow-tpu"):
        assert lower_bound(extras[extra], extra) == oldest["TensorFlow"]
    for name, version in oldest.items():
        assert f"| {name} | {version} |" in page


def lower_bound(requirements, package):
    """Returns the lower bound of a package, which must have one."""
    bounds = dict(requirement.split(">=") for requirement in requirements)
    return bounds[package]


def test_modules_of_the_examples_are_those_of_their_extra():
    extras = PROJECT["optional-dependencies"]
    within, *others = extras["examples"]
    assert within == "keras-sam[plot]"
    extra = {
        re.match(r"[\w-]+", requirement)[0].lower()
        for requirement in [*extras["plot"], *others]
    }
    packages = importlib.metadata.packages_distributions()
    found = [packages[name][0].lower() for name in examples.NEEDED]
    assert {name.replace("_", "-") for name in found} == extra
    assert not examples.missing()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
