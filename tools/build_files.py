"""Writes the BUILD files: a target for each source, with its imports as deps.

    make build-files

Other attributes of a target stay, such as `size`, and go along when its source
moves. So do statements other than `load` and `package`. Comments do not.
"""

import ast
import pathlib
import re
import sys

from tools import starlark

ROOT = pathlib.Path(__file__).parents[1]
PUBLIC = "//visibility:public"
TESTS = "//tests:__subpackages__"

# The layers: who may depend on a folder, besides itself. A folder without a
# line has the line of the folder above it.
VISIBLE = {
    "benchmarks": [TESTS, "//benchmarks:__subpackages__"],
    "examples": [
        TESTS,
        "//benchmarks:__subpackages__",
        "//examples:__subpackages__",
        "//tools:__pkg__",
    ],
    "keras_sam": [PUBLIC],
    "keras_sam/_algorithm": [
        TESTS,
        "//keras_sam:__pkg__",
        "//keras_sam/_algorithm:__subpackages__",
        "//keras_sam/_command_line:__pkg__",
        "//keras_sam/_training:__subpackages__",
        "//keras_sam/landscape:__subpackages__",
    ],
    "keras_sam/_backend": [TESTS, "//keras_sam:__subpackages__"],
    "keras_sam/_command_line": [
        TESTS,
        "//keras_sam:__pkg__",
        "//tools:__pkg__",
    ],
    "keras_sam/_training": [
        TESTS,
        "//keras_sam:__pkg__",
        "//keras_sam/_command_line:__pkg__",
        "//keras_sam/_training:__subpackages__",
        "//keras_sam/callbacks:__subpackages__",
        "//keras_sam/distribute:__subpackages__",
        "//keras_sam/landscape:__subpackages__",
    ],
    "tests": [TESTS],
    "tools": [TESTS],
}
PACKAGES = sorted({folder.partition("/")[0] for folder in VISIBLE})
# These have environments of their own, which Bazel does not know.
ELSEWHERE = re.compile(
    r"conformance|ecosystem|peers[/_](jax|tf_keras|torch)|tpu_check"
    r"|benchmarks/(gpu|lowered)|tools/tutorials"
)
# What an import needs, where that is not the one package of its name.
NEEDS = {
    "absl": {"absl_py"},
    "keras": {"keras", "tensorflow_cpu"},  # Its backend.
    "sklearn": {"scikit_learn"},
    "tensorflow": {"tensorflow_cpu"},
    # Its wheel forgets the first.
    "tensorflow_datasets": {
        "importlib_resources",
        "tensorflow_cpu",
        "tensorflow_datasets",
    },
    "xdist": {"pytest_xdist"},
}
# All other attributes are by hand.
GENERATED = ("name", "srcs", "deps", "visibility")


class Sources:
    """The sources below `root`, and the BUILD files that they should have."""

    def __init__(self, root=ROOT):
        self.root = root
        self.texts = {
            source: (root / source).read_text()
            for source in find(root, "*.py")
            if not ELSEWHERE.search(source)
        }
        self.imports = {
            source: set(imports(ast.parse(text, source)))
            for source, text in self.texts.items()
        }

    def build_files(self):
        """Returns what BUILD files should hold, and what has no place there.

        Returns:
            {path: text}; and {label: attributes by hand} of the targets whose
            sources are gone.
        """
        statements, by_hand = {}, {}
        for path in find(self.root, "BUILD"):
            folder = path.removesuffix("/BUILD")
            text = (self.root / path).read_text()
            statements[folder], targets = starlark.read(text)
            for name, attributes in targets.items():
                for key in GENERATED:
                    attributes.pop(key, None)
                by_hand[f"//{folder}:{name}"] = attributes
        labels = {}
        for source in self.texts:
            other = labels.setdefault(label_of(source), source)
            if other != source:
                raise ValueError(f"Rename {source}: {other} has its label")
        # A source that moved is the only one of its name without a target.
        moved = {name_of(old): old for old in by_hand if old not in labels}
        targets = {}
        for new, source in labels.items():
            old = new if new in by_hand else moved.get(name_of(new))
            targets.setdefault(folder_of(new), []).append(
                self.target(source, by_hand.pop(old, {}))
            )
        files = {
            f"{folder}/BUILD": starlark.write(
                package(folder), statements.get(folder, []), targets[folder]
            )
            for folder in targets
        }
        return files, {old: given for old, given in by_hand.items() if given}

    def target(self, source, by_hand):
        """Returns the rule and the attributes of the target of a source."""
        folder, name = folder_of(label_of(source)), name_of(label_of(source))
        rule = "py_library"
        if source.endswith("_test.py"):
            rule = "py_test"
        elif '\nif __name__ == "__main__":\n' in self.texts[source]:
            rule = "py_binary"
        attributes = {
            **by_hand,
            "name": f'"{name}"',
            "srcs": starlark.label_list([source.rpartition("/")[2]]),
        }
        # What is private stays in this repository.
        if name.startswith("_") and visible(folder) == [PUBLIC]:
            attributes["visibility"] = '["//:__subpackages__"]'
        if deps := self.deps(source):
            attributes["deps"] = starlark.label_list(shortened(deps, folder))
        return rule, attributes

    def deps(self, source):
        """Returns the labels that a source needs."""
        needed = set().union(*map(self.labels, self.imports[source]))
        return needed - {label_of(source)}

    def labels(self, name):
        """Returns the labels that the import of a dotted name needs."""
        package = name.partition(".")[0]
        if package in sys.stdlib_module_names:
            return set()
        if package not in PACKAGES:
            return {f"@pypi//{need}" for need in NEEDS.get(package, {package})}
        parts = name.split(".")
        paths = ["/".join(parts[: i + 1]) for i in range(len(parts))]
        files = [p + end for p in paths for end in ("/__init__.py", ".py")]
        *inits, last = [file for file in files if file in self.texts]
        # Python runs the `__init__.py` of the folders above as well. One that
        # itself imports from its folder would be a cycle for Bazel, which then
        # does with an empty one.
        inits = [init for init in inits if not self.is_face(init)]
        return set(map(label_of, [*inits, last]))

    def is_face(self, init):
        """Returns whether an `__init__.py` imports from its own folder."""
        own = init.removesuffix("__init__.py").replace("/", ".")
        return any(name.startswith(own) for name in self.imports[init])


def package(folder):
    """Returns the attributes of all targets in a folder."""
    attributes = {"default_visibility": starlark.label_list(visible(folder))}
    if folder.partition("/")[0] == "tests":
        attributes["default_testonly"] = "True"
    return attributes


def find(root, pattern):
    """Returns the files below the packages, as paths from the root."""
    found = [p for top in PACKAGES for p in (root / top).rglob(pattern)]
    return sorted(path.relative_to(root).as_posix() for path in found)


_FOR_TYPES = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(node):
    """Yields the dotted names that are imported, wherever that is."""
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom(level=0):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        case ast.ImportFrom():
            raise ValueError(f"Import by full names: {ast.unparse(node)}")
        case ast.Call(
            func=ast.Attribute(attr="find_spec"),
            args=[ast.Constant(value=name)],
        ):
            yield name
        # Python runs no such import, and layers would be cycles by them.
        case ast.If(test=test) if ast.unparse(test) in _FOR_TYPES:
            return
    for child in ast.iter_child_nodes(node):
        yield from imports(child)


def label_of(source):
    """Returns //a/b:c for a/b/c.py, and //a/b:b for a/b/__init__.py."""
    folder, _, file = source.rpartition("/")
    name = file.removesuffix(".py")
    if name == "__init__":
        name = folder.rpartition("/")[2]
    return f"//{folder}:{name}"


def folder_of(label):
    """Returns a/b of //a/b:c."""
    return label[2:].partition(":")[0]


def name_of(label):
    """Returns c of //a/b:c."""
    return label.partition(":")[2]


def shortened(labels, folder):
    """Returns labels as a BUILD file of the folder has them."""
    for each in labels:
        package, _, name = each.partition(":")
        if package == f"//{folder}":
            yield f":{name}"
        elif package.endswith(f"/{name}"):
            yield package
        else:
            yield each


def visible(folder):
    """Returns who may depend on a folder."""
    while folder not in VISIBLE:
        folder = folder.rpartition("/")[0]
    return VISIBLE[folder]


def main():
    """Writes the BUILD files, and deletes those of folders without sources."""
    files, lost = Sources().build_files()
    for path in find(ROOT, "BUILD"):
        if path not in files:
            (ROOT / path).unlink()
    for path, text in files.items():
        (ROOT / path).write_text(text)
    for target, attributes in lost.items():
        print(f"Deleted {target}, which had by hand: {attributes}")


if __name__ == "__main__":
    main()
