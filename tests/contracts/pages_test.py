"""The code in the pages runs, and the commands in them exist.

`make docs` checks the links: a link that does not hold is an error of mkdocs.
"""

import importlib.util
import re
import sys

import keras
import pytest

from tests.support import pages
from tests.support import testing
from tools import build_files

# guide_test.py runs these and looks at what they have computed.
ELSEWHERE = {
    "docs/guides/your_own_rule.md",
    "docs/landscape.md",
    "docs/late_phase.md",
}
PYTHON = [
    page
    for page in pages.names()
    if pages.blocks(page) and page not in ELSEWHERE
]
ALL = ["README.md", "CONTRIBUTING.md", *pages.names()]
SOURCES = build_files.Sources()
COMMAND = re.compile(r"python[\d.]* -m ([\w.]+)([^\n`]*)")
FLAG = re.compile(r"(?<=\s)--(?:no)?(\w+)")
DEFINED = re.compile(
    r"""(?:DEFINE_\w+|add_argument)\(\s*["'](?:--)?(\w+)["']"""
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in; the settings of Keras come back."""
    monkeypatch.chdir(tmp_path)
    policy = keras.config.dtype_policy()
    yield tmp_path
    keras.config.set_dtype_policy(policy)


# This trains the network of the quickstart five times.
LONG = {"docs/guides/choosing_rho.md": testing.ALSO}


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=LONG.get(p, ())) for p in PYTHON]
)
def test_python_runs(page, folder):
    pages.run(page)


def test_what_does_not_run_says_why():
    left_out = [
        block
        for page in pages.names()
        for block in pages.blocks(page)
        if block.kind == "not run"
    ]
    assert len(left_out) <= 3
    assert all(len(block.note) > 10 for block in left_out)


def commands(page):
    """Yields (module, its arguments) of the commands in a page."""
    text = re.sub(r" *\\\n *", " ", pages.text(page))
    for module, arguments in COMMAND.findall(text):
        own, _, others = arguments.partition(" -- ")
        yield module, own
        if others:  # examples.launch hands them on.
            yield "examples.train", f" {others}"


def flags(module):
    """Returns the flags of a module, and of the modules that it imports."""
    path = module.replace(".", "/")
    left = [f"{path}.py", f"{path}/__main__.py", f"{path}/__init__.py"]
    seen, found = set(), set()
    while left:
        source = left.pop()
        if source in seen or source not in SOURCES.texts:
            continue
        seen.add(source)
        found.update(DEFINED.findall(SOURCES.texts[source]))
        for name in SOURCES.imports[source]:
            other = name.replace(".", "/")
            left += [f"{other}.py", f"{other}/__init__.py"]
    return found


@pytest.mark.parametrize("page", ALL)
def test_commands_exist(page):
    for module, arguments in commands(page):
        if module in ("pip", "venv", "pytest"):
            continue
        assert importlib.util.find_spec(module), module
        wrong = set(FLAG.findall(arguments)) - flags(module)
        assert not wrong, f"python -m {module} has no {wrong}"


@pytest.mark.parametrize("page", ALL)
def test_targets_of_make_exist(page):
    targets = set(re.findall(r"^([\w-]+):", pages.text("Makefile"), re.M))
    text = pages.text(page)
    fenced = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.S | re.M))
    named = re.findall(r"^make ([\w-]+)", fenced, re.M)
    named += re.findall(r"`make ([\w-]+)", text)
    assert set(named) <= targets


def test_flags_are_found():
    assert {"rho", "output_dir", "seeds"} <= flags("examples.compare")
    assert "seeds" not in flags("examples.train")
    assert list(commands("docs/scale/multi_worker.md"))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
