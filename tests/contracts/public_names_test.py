"""Examples, benchmarks and documentation use only the library's public names.

Users need the same names, and a private name may disappear without notice.
"""

import ast
import pathlib
import re
import sys

import pytest

import examples

ROOT = pathlib.Path(examples.__file__).parents[1]
SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
PAGES = [
    "README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def private_names(code):
    """Returns the private names of the library that a code uses, dotted."""
    tree, known, used = ast.parse(code), {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                used.add(alias.name)
                # Without `as`, the import of a.b makes the name a.
                name = alias.asname or alias.name.partition(".")[0]
                known[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                used.add(name)
                known[alias.asname or alias.name] = name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            used.add(f"{known.get(first, '')}.{rest}")
    return sorted(
        name for name in used if re.match(r"keras_sam\.(\w+\.)*_(?!_)", name)
    )


@pytest.mark.parametrize("source", SOURCES)
def test_source(source):
    assert not private_names((ROOT / source).read_text())


@pytest.mark.parametrize("page", PAGES)
def test_page(page):
    """A block may use what the blocks before it have imported."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)
    assert not private_names("\n".join(blocks))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import keras_sam._a", ["keras_sam._a"]),
        ("import keras_sam\nkeras_sam._a.b()", ["keras_sam._a"]),
        ("import keras_sam.a\nx = keras_sam.a._b", ["keras_sam.a._b"]),
        ("import keras_sam.a as c\nc._b", ["keras_sam.a._b"]),
        ("from keras_sam import _a", ["keras_sam._a"]),
        ("from keras_sam._a import b", ["keras_sam._a.b"]),
        ("from keras_sam.a import b as c\nc._d[0]", ["keras_sam.a.b._d"]),
        ("def f():\n    from keras_sam import a\n    a._b", ["keras_sam.a._b"]),
        ("import keras_sam\nkeras_sam.a.b, keras_sam.__version__", []),
        ("import keras_sam\nself._a, keras_sam_._b, f(keras_sam)._c", []),
        ("import other\nother._a\nfrom other import _b", []),
    ],
)
def test_what_is_found(code, found):
    names = private_names(code)
    assert all(any(n.startswith(f) for n in names) for f in found), names
    assert bool(names) == bool(found)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
