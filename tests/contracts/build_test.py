"""BUILD files agree with the sources, and keep the layers of the library."""

import ast
import graphlib
import re
import sys
import tomllib

import pytest

from tools import build_files
from tools import starlark

ROOT = build_files.ROOT
SOURCES = build_files.Sources()
LABELS = {build_files.label_of(source): source for source in SOURCES.texts}
DEPS = {label: SOURCES.deps(source) for label, source in LABELS.items()}


def test_build_files_are_what_make_build_files_writes():
    expected, _ = SOURCES.build_files()
    found = {
        path: (ROOT / path).read_text()
        for path in build_files.find(ROOT, "BUILD")
    }
    wrong = {
        path
        for path in expected.keys() | found.keys()
        if expected.get(path) != found.get(path)
    }
    assert not wrong, f"Run `make build-files`: it changes {sorted(wrong)}"


def test_imports_run_one_way():
    """Bazel builds no targets that depend on each other."""
    graphlib.TopologicalSorter(DEPS).prepare()


def test_layers():
    """A dependency is visible to every target that uses it, as Bazel wants."""
    wrong = [
        f"{LABELS[user]} may not import {LABELS[used]}"
        for user, deps in DEPS.items()
        for used in deps & LABELS.keys()
        if not sees(build_files.folder_of(user), build_files.folder_of(used))
    ]
    assert not wrong, "\n".join(
        ["VISIBLE in tools/build_files.py has the layers.", *sorted(wrong)]
    )


def sees(folder, other):
    """Returns whether targets in a folder may depend on those in another."""
    names = {
        build_files.PUBLIC,
        f"//{folder}:__pkg__",
        f"//{folder}:__subpackages__",
        *(
            f"//{folder[: match.start()]}:__subpackages__"
            for match in re.finditer("/", folder)
        ),
    }
    return folder == other or bool(names & set(build_files.visible(other)))


@pytest.mark.parametrize("path", build_files.find(ROOT, "BUILD"))
def test_data_exists(path):
    folder = path.removesuffix("/BUILD")
    for target in starlark.read((ROOT / path).read_text())[1].values():
        for data in ast.literal_eval(target.get("data", "[]")):
            if not data.startswith("//"):
                data = f"//{folder}:{data.removeprefix(':')}"
            if data in LABELS:
                continue
            package = build_files.folder_of(data)
            file = build_files.name_of(data)
            assert (ROOT / package / file).exists(), f"{path} has {data}"
            if package != folder:
                exports, _ = starlark.read(
                    (ROOT / package / "BUILD").read_text()
                )
                assert f'"{file}"' in exports[0], f"Export {data}, of {path}"


@pytest.mark.parametrize(
    "source", [path for path in SOURCES.texts if path.endswith("_test.py")]
)
def test_bazel_runs_the_tests_of_a_file(source):
    main = 'if __name__ == "__main__":\n    sys.exit(pytest.main([__file__]))\n'
    assert SOURCES.texts[source].endswith(f"\n{main}"), (
        "Bazel runs the file as a script, which passes and tests nothing "
        f"without these last lines:\n\n{main}"
    )


def test_packages_are_declared():
    """BUILD, pyproject.toml and the lock file know the same packages."""
    used = {
        label.removeprefix("@pypi//").replace("_", "-")
        for label in set().union(*DEPS.values()) - LABELS.keys()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for where, lines in (
        ("pyproject.toml", sum(extras, project["dependencies"])),
        (
            "requirements_lock.txt",
            (ROOT / "requirements_lock.txt").read_text().splitlines(),
        ),
    ):
        known = {re.match(r"[\w.-]*", line)[0].lower() for line in lines}
        known = {name.replace("_", "-") for name in known}
        assert used <= known, f"Add to {where}: {used - known}"


# The script, on small libraries.

FACE = {
    "keras_sam/__init__.py": "from keras_sam import parts",
    "keras_sam/parts.py": "from keras_sam.rules import _rule",
    "keras_sam/rules/__init__.py": "from keras_sam.rules._rule import Rule",
    "keras_sam/rules/_rule.py": "import numpy as np",
    "keras_sam/rules/more.py": "from keras_sam.rules import _rule",
}


def written(root, files):
    """Returns {path: text} of the BUILD files for the files below a root."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return build_files.Sources(root).build_files()[0]


def deps_in(text):
    """Returns {name: deps} of the targets in the text of a BUILD file."""
    return {
        name: ast.literal_eval(target.get("deps", "[]"))
        for name, target in starlark.read(text)[1].items()
    }


def test_a_face_is_a_dep_of_those_alone_who_import_it(tmp_path):
    use = {
        "tests/face.py": "from keras_sam import rules",
        "tests/inner.py": "from keras_sam.rules import _rule",
        "tests/name.py": "from keras_sam.rules import Rule",
    }
    files = written(tmp_path, FACE | use)
    assert deps_in(files["keras_sam/rules/BUILD"]) == {
        "_rule": ["@pypi//numpy"],
        "more": [":_rule"],
        "rules": [":_rule"],
    }
    assert deps_in(files["keras_sam/BUILD"]) == {
        "keras_sam": [":parts"],
        "parts": ["//keras_sam/rules:_rule"],
    }
    assert deps_in(files["tests/BUILD"]) == {
        "face": ["//keras_sam/rules"],
        "inner": ["//keras_sam/rules:_rule"],
        "name": ["//keras_sam/rules"],
    }


def test_an_empty_init_is_a_dep_of_all_below_it(tmp_path):
    files = {
        "tests/__init__.py": "",
        "tests/cost/__init__.py": "",
        "tests/cost/one.py": "from tests.cost import two",
        "tests/cost/two.py": "",
    }
    text = written(tmp_path, files)["tests/cost/BUILD"]
    assert deps_in(text)["one"] == [":cost", ":two", "//tests"]


def test_an_import_for_the_type_checker_is_no_dep(tmp_path):
    file = "import typing\nif typing.TYPE_CHECKING:\n    import keras_sam"
    text = written(tmp_path, {"tests/one.py": file})["tests/BUILD"]
    assert deps_in(text) == {"one": []}


def test_what_is_private_stays_in_this_repository(tmp_path):
    text = written(tmp_path, FACE)["keras_sam/rules/BUILD"]
    assert 'package(default_visibility = ["//visibility:public"])' in text
    targets = starlark.read(text)[1].items()
    assert [n for n, given in targets if "visibility" in given] == ["_rule"]


def test_what_is_by_hand_stays(tmp_path):
    path = "keras_sam/rules/BUILD"
    plain = written(tmp_path, FACE)[path]
    data = '    data = [\n        "b",  # Why.\n        "a",\n    ],\n'
    by_hand = plain.replace(
        '    srcs = ["more.py"],\n', f'    srcs = ["more.py"],\n{data}'
    ).replace("\npy_lib", '\nexports_files(["b"])\n\npy_lib', 1)
    assert data in by_hand and "exports" in by_hand
    assert written(tmp_path, {path: by_hand})[path] == by_hand


def test_what_is_by_hand_goes_along_when_a_source_moves(tmp_path):
    old = {"tests/a_test.py": "", "tests/b_test.py": ""}
    text = written(tmp_path, old)["tests/BUILD"]
    text = text.replace("    srcs", '    size = "large",\n    srcs')
    for path in old:
        (tmp_path / path).unlink()
    new = {"tests/BUILD": text, "tests/cost/a_test.py": ""}
    assert 'size = "large"' in written(tmp_path, new)["tests/cost/BUILD"]
    _, lost = build_files.Sources(tmp_path).build_files()
    assert lost == {"//tests:b_test": {"size": '"large"'}}


def test_two_sources_of_one_label(tmp_path):
    files = {"tests/cost/__init__.py": "", "tests/cost/cost.py": ""}
    with pytest.raises(ValueError, match="Rename tests/cost/cost.py"):
        written(tmp_path, files)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
