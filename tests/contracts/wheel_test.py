"""The wheel is complete: an installation needs no file of the clone."""

import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest

import tests

ROOT = pathlib.Path(tests.__file__).parents[1]
PROGRAM = """
import importlib
import pathlib
import pkgutil
import sys

import keras
import keras_sam
import numpy as np

assert pathlib.Path(keras_sam.__file__).is_relative_to(sys.prefix)
for module in pkgutil.walk_packages(keras_sam.__path__, "keras_sam."):
    importlib.import_module(module.name)
    print("module", module.name)

exec(pathlib.Path(sys.argv[1]).read_text())
x = np.ones((8, 64), "float32")
sam.save("sam.keras")
loaded = keras.saving.load_model("sam.keras")
np.testing.assert_array_equal(loaded.predict(x, verbose=0), sam(x))
"""


def run(*command, cwd):
    """Returns the output of a command. A failure shows the whole output."""
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def pip(*arguments, cwd):
    run(
        sys.executable,
        *("-m", "pip", "--disable-pip-version-check", *arguments),
        *("--no-deps", "--no-index"),
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the repository, since setuptools leaves files in it."""
    clone = tmp_path_factory.mktemp("clone")
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, clone)
    shutil.copytree(
        ROOT / "keras_sam",
        clone / "keras_sam",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return clone


@pytest.fixture(scope="module")
def sources(clone):
    """The paths of the sources."""
    return sorted(
        path.relative_to(clone).as_posix()
        for path in (clone / "keras_sam").rglob("*.py")
    )


@pytest.fixture(scope="module")
def wheel(clone, sources, tmp_path_factory):
    """The wheel, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip(
        *("wheel", ".", "--no-build-isolation", f"--wheel-dir={folder}"),
        cwd=clone,
    )
    (wheel,) = folder.iterdir()
    return wheel


def test_holds_the_sources(wheel, sources):
    names = zipfile.ZipFile(wheel).namelist()
    found = [name for name in names if ".dist-info/" not in name]
    assert sorted(found) == sorted([*sources, "keras_sam/py.typed"])


def test_runs_in_another_environment(wheel, sources, tmp_path):
    """One process runs all checks, since the import of TensorFlow is slow."""
    environment, empty = tmp_path / "environment", tmp_path / "empty"
    empty.mkdir()
    venv.create(environment)
    python = environment / "bin" / "python"
    packages = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    # The environment borrows TensorFlow and other packages from here. A path
    # in a .pth file does not bring the .pth files of that path, such as the one
    # to this clone.
    here = [path for path in sys.path if path.endswith("-packages")]
    (pathlib.Path(packages) / "here.pth").write_text("\n".join(here))
    pip("--python", python, "install", wheel, cwd=empty)

    readme = tmp_path / "readme.py"
    readme.write_text(
        re.search(
            r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
        )[1]
    )
    printed = run(python, "-I", "-c", PROGRAM, readme, cwd=empty)
    modules = [
        source.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for source in sources
    ]
    imported = re.findall(r"^module (\S+)$", printed, re.MULTILINE)
    assert {"keras_sam", *imported} == set(modules)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
