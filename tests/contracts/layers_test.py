"""Checks what a file of the library may import and touch.

Three rooms may touch foreign names that begin with an underscore. Only files
under `tensorflow/` may touch TensorFlow, and only files under `jax/` JAX.
Imports run downwards.
"""

import ast
import functools
import importlib
import inspect
import pathlib
import sys
import textwrap

import pytest

import keras_sam

LIBRARY = pathlib.Path(keras_sam.__file__).parent

# From the bottom up. A name is a room: a module, or a folder with all its
# modules that have no line of their own. A room may import from lower levels.
# Rooms of one level must not import each other.
LEVELS = [
    {"_private_names"},
    {
        "_keras_internals",
        "_names",
        "_registration",
        "_types",
        "_validation",
    },
    {"_backend"},
    {"_evaluation", "vectors"},
    {"_eigenvector", "_filters", "parts"},
    {
        "_text",
        "cadences",
        "descents",
        "directions",
        "radii",
        "samples",
        "schedules",
        "selections",
        "starts",
    },
    {"_algorithm", "recipes"},
    {"_training"},
    {"distribute", "landscape", "model"},
    {"_command_line", "callbacks"},
    {"", "__main__"},  # `keras_sam` itself, and `python -m keras_sam`.
]

# The rooms that may touch foreign names that begin with an underscore.
INTERNALS = {
    "_keras_internals",
    "_backend.jax.jax_internals",
    "_backend.tensorflow.tensorflow_internals",
}
# Methods of named tuples, and a function of `os`, which Python documents.
PUBLIC = {"_asdict", "_exit", "_fields", "_make", "_replace"}
# Functions whose argument names an attribute.
BY_NAME = {
    "attrgetter",
    "delattr",
    "getattr",
    "hasattr",
    "methodcaller",
    "setattr",
}
PACKAGES = ("jax._src", "keras.src", "tensorflow.python")


def name_of(path):
    """Returns the dotted name of a file within the library."""
    parts = path.relative_to(LIBRARY).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


FILES = {name_of(path): path for path in sorted(LIBRARY.rglob("*.py"))}


@functools.cache
def tree_of(name):
    return ast.parse(FILES[name].read_text())


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


# Private names of others.


@functools.cache
def assigned(source):
    """Returns the attributes of `self` that a source assigns."""
    return {
        node.attr
        for node in ast.walk(ast.parse(textwrap.dedent(source)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }


@functools.cache
def names(kind):
    """Returns the private names of a class: all it has, declares, assigns."""
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):  # Of a class that is not written in Python.
        source = ""
    declared = inspect.get_annotations(kind)
    return set(filter(is_private, {*vars(kind), *declared, *assigned(source)}))


def own_and_foreign(kind):
    """Returns private names of a class: the library's, and those of others."""
    own, foreign = set(), set()
    for base in kind.__mro__[:-1]:
        ours = base.__module__.split(".")[0] == kind.__module__.split(".")[0]
        (own if ours else foreign).update(names(base))
    return own, foreign


def breaches_of_class(node, kind):
    """Yields (line, text) where a class touches names of its foreign bases."""
    own, foreign = own_and_foreign(kind)
    for part in node.body:
        targets = [part]
        if isinstance(part, ast.Assign):
            targets = part.targets
        elif isinstance(part, ast.AnnAssign):
            targets = [part.target]
        for target in targets:
            name = getattr(target, "name", getattr(target, "id", ""))
            if is_private(name) and name in foreign:
                yield part.lineno, f"{kind.__name__}.{name} overrides another's"
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            and part.value.id in ("self", "cls")
            and is_private(part.attr)
            and (part.attr in foreign or part.attr not in own)
        ):
            yield part.lineno, f"{ast.unparse(part)} is not the library's"


def breaches(tree, module=None):
    """Yields (line, text) of each foreign private name that a file touches.

    Args:
        tree: Tree of the file.
        module: The file as a module. Without it, the function does not look at
            what a class does with its own attributes.
    """
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and module is not None:
            yield from breaches_of_class(node, getattr(module, node.name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            of_self = isinstance(node.value, ast.Name) and node.value.id in (
                "self",
                "cls",
            )
            if node.attr == "__internal__" or (
                is_private(node.attr)
                and not of_self
                and node.attr not in PUBLIC
            ):
                yield node.lineno, ast.unparse(node)
            elif ast.unparse(node).startswith(PACKAGES):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func).split(".")
            if function[-1] in BY_NAME or "patch" in function:
                for argument in node.args:
                    if (
                        isinstance(argument, ast.Constant)
                        and isinstance(argument.value, str)
                        and is_private(argument.value.rpartition(".")[2])
                    ):
                        yield node.lineno, ast.unparse(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for name in imported(node):
                foreign = not name.startswith("keras_sam")
                if name.startswith(PACKAGES) or (
                    foreign and any(map(is_private, name.split(".")))
                ):
                    yield node.lineno, f"import of {name}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if any(package in node.value for package in PACKAGES):
                yield node.lineno, repr(node.value[:40])


def imported(node):
    """Returns the dotted names that an import statement may mean."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in FILES
        if not any(f"{n}.".startswith(f"{i}.") for i in INTERNALS)
    ],
)
def test_foreign_private_names(name):
    module = importlib.import_module(f"keras_sam.{name}".rstrip("."))
    found = sorted(set(breaches(tree_of(name), module)))
    assert not found, "\n".join(
        f"keras_sam/{FILES[name].relative_to(LIBRARY)}:{line}: {text}"
        for line, text in found
    )


@pytest.mark.parametrize(
    "code",
    [
        "model._metrics",
        "self.model._metrics.append(1)",
        "super()._build()",
        "model.optimizer._iterations.assign(1)",
        "layers()[0]._kernel = 1",
        "getattr(model, '_metrics', None)",
        "setattr(model, '_initial_epoch', 1)",
        "operator.attrgetter('_metrics')(model)",
        "mock.patch('keras.Model._metrics')",
        "mock.patch.object(model, '_metrics', 1)",
        "from tensorflow.python.eager import context",
        "import keras.src.trainers",
        "from keras.src import trainers",
        "from numpy import _core",
        "keras.src.trainers",
        "tf.__internal__.distribute",
        "name.startswith('keras.src.')",
        "def late():\n    from tensorflow.python import eager",
    ],
)
def test_breaches_are_seen(code):
    assert list(breaches(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "self._steps",
        "cls._steps",
        "_function(x)",
        "point._replace(loss=1)",
        "vars(x).__class__",
        "getattr(x, 'loss')",
        "from keras_sam._backend import values",
        "from keras_sam import _types",
    ],
)
def test_what_is_no_breach(code):
    assert not list(breaches(ast.parse(code)))


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("def use(self):\n        return self._loss_tracker", True),
        ("def use(self):\n        return self._flatten_layers()", True),
        ("def _symbolic_build(self):\n        pass", True),
        ("_metrics = None", True),
        ("def use(self):\n        return self._of_nobody", True),
        (
            "def use(self):\n        self._own = 1\n        return self._own",
            False,
        ),
        ("_own = None\n    def use(self):\n        return self._own", False),
        ("def _own(self):\n        return self._own()", False),
    ],
)
def test_breaches_of_classes_are_seen(body, seen, tmp_path, monkeypatch):
    code = f"import keras\nclass Model(keras.Model):\n    {body}\n"
    (tmp_path / "layers_test_model.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "layers_test_model", raising=False)
    module = importlib.import_module("layers_test_model")
    assert bool(list(breaches(ast.parse(code), module))) == seen
    sys.modules.pop("layers_test_model")


# Imports.


@functools.cache
def imports(name):
    """Returns the names of all that a file imports, within functions too."""
    return {
        found
        for node in ast.walk(tree_of(name))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for found in imported(node)
    }


def own_imports(name):
    """Returns the files of the library that a file imports."""
    found = set()
    for full in imports(name):
        package, _, rest = full.partition(".")
        if package == "keras_sam":
            # Of `from keras_sam.a import b`, b is a file or in the file a.
            found.add(rest if rest in FILES else rest.rpartition(".")[0])
    return found - {name}


def room_of(name):
    """Returns the level of a file, and its room."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        room = ".".join(parts[:end])
        for level, rooms in enumerate(LEVELS):
            if room in rooms:
                return level, room
    raise AssertionError(f"Give keras_sam.{name} a place in LEVELS")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_a_backend_is_imported_in_its_folders(name, backend):
    uses = any(f.split(".")[0] == backend for f in imports(name))
    assert not uses or backend in name.split(".")[:-1]


@pytest.mark.parametrize("name", FILES)
def test_matplotlib_is_imported_in_its_folder(name):
    """Only `plot` needs it, when it is called: it may be missing."""
    uses = any(f.split(".")[0] == "matplotlib" for f in imports(name))
    assert not uses or name.startswith("landscape._plot")
    plots = any("landscape._plots" in f for f in imports(name))
    assert not plots or name.startswith("landscape._plot")


@pytest.mark.parametrize("name", FILES)
def test_imports_run_downwards(name):
    level, room = room_of(name)
    upwards = {
        other
        for other in own_imports(name)
        if room_of(other)[1] != room and room_of(other)[0] >= level
    }
    assert not upwards


def test_no_cycles():
    done, path = set(), []

    def visit(name):
        assert name not in path, " -> ".join([*path, name])
        if name not in done:
            path.append(name)
            for other in sorted(own_imports(name)):
                visit(other)
            path.pop()
            done.add(name)

    for name in FILES:
        visit(name)


@pytest.mark.parametrize(
    "name",
    [n for n in FILES if not any(part[:1] == "_" for part in n.split("."))],
)
def test_public_modules_have_all(name):
    module = importlib.import_module(f"keras_sam.{name}".rstrip("."))
    assert module.__all__
    assert all(hasattr(module, each) for each in module.__all__)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
