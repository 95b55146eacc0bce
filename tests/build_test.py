"""BUILD says what the sources say: one target a file, its imports as deps."""

import ast
import pathlib
import re
import sys
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("benchmarks", "examples", "keras_sam", "tests")
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    # These have environments of their own.
    if not re.match(
        "conformance|peers_(jax|tf_keras|torch)|tpu_check", path.name
    )
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


def build_file():
    """Returns {name: (rule, srcs, deps)} of the targets in BUILD."""
    targets = {}
    for statement in ast.parse((ROOT / "BUILD").read_text()).body:
        rule = statement.value.func.id
        if not rule.startswith("py_"):
            continue
        given = {k.arg: k.value for k in statement.value.keywords}
        name = ast.literal_eval(given["name"])
        assert name not in targets, f"BUILD has two targets {name!r}"
        srcs, deps = (
            ast.literal_eval(given[key]) if key in given else []
            for key in ("srcs", "deps")
        )
        targets[name] = (rule, srcs, set(deps))
    return targets


def expected(source):
    """Returns (name, (rule, srcs, deps)) of the target of a source file."""
    name = source.removesuffix("/__init__.py").removesuffix(".py")
    rule = "py_library"
    if source.endswith("_test.py"):
        rule = "py_test"
    elif '\nif __name__ == "__main__":\n' in (ROOT / source).read_text():
        rule = "py_binary"
    deps = set().union(*map(labels, imports(source))) - {f":{name}"}
    return name, (rule, [source], deps)


def imports(source):
    """Returns the dotted names that a file imports, wherever it does."""
    names = []
    for node in ast.walk(ast.parse((ROOT / source).read_text())):
        match node:
            case ast.Import():
                names += [alias.name for alias in node.names]
            case ast.ImportFrom(level=0):
                names += [f"{node.module}.{alias.name}" for alias in node.names]
            case ast.ImportFrom():
                raise ValueError(f"{source} must import by full names")
            case ast.Call(
                func=ast.Attribute(attr="find_spec"),
                args=[ast.Constant(value=name)],
            ):
                names.append(name)
    return names


def labels(name):
    """Returns the labels that the import of a dotted name needs."""
    package, _, rest = name.partition(".")
    if package in sys.stdlib_module_names:
        return set()
    if package not in PACKAGES:
        return {f"@pypi//{need}" for need in NEEDS.get(package, {package})}
    module = f"{package}/{rest.partition('.')[0]}"
    if f"{module}.py" not in SOURCES:
        return {f":{package}"}
    # Python runs `__init__.py` as well. Where that itself imports the package,
    # it would be a cycle for Bazel, which then does with an empty one.
    init = imports(f"{package}/__init__.py")
    if any(other.partition(".")[0] == package for other in init):
        return {f":{module}"}
    return {f":{package}", f":{module}"}


def written(name, target):
    """Returns a target as BUILD has it."""
    rule, srcs, deps = target
    lines = [f'    name = "{name}",']
    for key, values in (("srcs", srcs), ("deps", sorted(deps))):
        if len(values) == 1:
            lines.append(f'    {key} = ["{values[0]}"],')
        elif values:
            items = [f'        "{value}",' for value in values]
            lines += [f"    {key} = [", *items, "    ],"]
    return "\n".join([f"{rule}(", *lines, ")"])


@pytest.mark.parametrize("source", SOURCES)
def test_target_of_a_source(source):
    name, target = expected(source)
    found = build_file().get(name)
    assert found == target, (
        f"BUILD must hold, other attributes aside:\n\n{written(name, target)}"
        "\n\nIt holds"
        + (f":\n\n{written(name, found)}" if found else f" no {name!r}.")
    )


def test_no_other_targets():
    others = set(build_file()) - {expected(source)[0] for source in SOURCES}
    assert not others, f"Delete from BUILD what has no source: {others}"


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if source.endswith("_test.py")]
)
def test_bazel_runs_the_tests_of_a_file(source):
    main = 'if __name__ == "__main__":\n    sys.exit(pytest.main([__file__]))\n'
    assert (ROOT / source).read_text().endswith(f"\n{main}"), (
        "Bazel runs the file as a script, which passes and tests nothing "
        f"without these last lines:\n\n{main}"
    )


def test_packages_are_declared():
    """BUILD, pyproject.toml and the lock file know the same packages."""
    used = {
        label.removeprefix("@pypi//").replace("_", "-")
        for _, _, deps in build_file().values()
        for label in deps
        if label.startswith("@pypi//")
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


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
