"""Runs the tests nearest to what changed, for two minutes at most.

    make check

What changed is the difference to the last commit, or else the last commit. The
tests of a module are in the file that mirrors its path and in the files that
import the module. Without such files, the tests of the modules that import it
are taken. The script prints what it leaves out.
"""

import os
import re
import subprocess
import sys
import time

import pytest

from tools import build_files

SECONDS = 75  # From the start of the tests; then comes what has begun.
ALWAYS = ("layers_test", "build_test", "api_test")
# Too slow, unless they are what changed; and those of real processes in any
# case, since one such test may take a minute.
SLOW = ("tests/contracts/", "tests/cost/")
NEVER = ("tests/processes/", "tests/examples/benchmarks_test.py")
# The folder of a backend. Twins have the same tests.
_BACKEND = re.compile(r"\.(tensorflow|jax)\b")


class Graph:
    """Which tests are nearest to a module."""

    def __init__(self):
        sources = build_files.Sources()
        self.modules = {dotted(source): source for source in sources.texts}
        self.importers = {}
        for source, names in sources.imports.items():
            used = set(map(self.resolved, names))
            used |= {self.face(name) for name in names} - {None}
            for module in sorted(used):
                self.importers.setdefault(module, []).append(source)

    def face(self, name):
        """Returns the package that chooses a twin by this name, or None."""
        if name in self.modules and not self.is_file(name):
            return name.rpartition(".")[0]
        return None

    def is_file(self, name):
        """Whether a module has just the path that its name says."""
        path = name.replace(".", "/")
        return self.modules[name] in (f"{path}.py", f"{path}/__init__.py")

    def resolved(self, name):
        """Returns the module that an imported name is, or is in."""
        name = _BACKEND.sub("", name)
        while name and name not in self.modules:
            name = name.rpartition(".")[0]
        return name

    def tests(self, source):
        """Returns the nearest tests of a source, the nearest first."""
        found, level, seen = [], [source], {source}
        while level and all(test.startswith(SLOW + NEVER) for test in found):
            found += [test for each in level for test in mirrors(each)]
            above = [
                user
                for each in level
                for user in self.importers.get(dotted(each), [])
            ]
            found += [user for user in above if user.endswith("_test.py")]
            level = [user for user in above if user not in seen]
            seen.update(level)
        return found


def dotted(source):
    """Returns a.b for a/b.py and a/b/__init__.py; a backend is left out."""
    name = source.removesuffix(".py").removesuffix("/__init__")
    return _BACKEND.sub("", name.replace("/", "."))


def mirrors(source):
    """Returns the test of a module of the library, or else of its folder.

    Of a public folder, that is all tests of it: its modules are tested through
    its face.
    """
    if not source.startswith("keras_sam/"):
        return []
    private = source.startswith("keras_sam/_")
    parts = [part.removeprefix("_") for part in dotted(source).split(".")[1:]]
    while parts:
        path = build_files.ROOT.joinpath("tests", *parts)
        found = [path.with_name(f"{path.name}_test.py")]
        found += [] if private else sorted(path.glob("*_test.py"))
        if found := [test for test in found if test.exists()]:
            return [str(x.relative_to(build_files.ROOT)) for x in found]
        parts.pop()
    return []


def git(*arguments):
    """Returns the lines that git prints."""
    text = subprocess.check_output(
        ["git", *arguments], cwd=build_files.ROOT, text=True
    )
    return text.splitlines()


def changed():
    """Returns the files that changed, as paths from the root."""
    files = git("diff", "--name-only", "HEAD")
    files += git("ls-files", "--others", "--exclude-standard")
    return sorted(files or git("diff", "--name-only", "HEAD~1"))


def chosen(files, graph):
    """Returns the tests to run, in this order, and those left out."""
    tests = [f"tests/contracts/{name}.py" for name in ALWAYS]
    tests += (own := [file for file in files if file.endswith("_test.py")])
    near = [graph.tests(file) for file in files if file.endswith(".py")]
    # The nearest of each file come before all others.
    tests += [found[0] for found in near if found] + sum(near, [])
    tests = list(dict.fromkeys(tests))
    out = [
        test
        for test in tests[len(ALWAYS) :]
        if test.startswith(NEVER) or (test.startswith(SLOW) and test not in own)
    ]
    there = [test for test in tests if (build_files.ROOT / test).exists()]
    return [test for test in there if test not in out], out


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Leaves out what would begin after the end; this file is a plugin."""
    if time.time() > float(os.environ["CHECK_ENDS"]):
        file = item.nodeid.partition("::")[0]
        pytest.skip(f"{file}: left out after {SECONDS} seconds")


def main():
    tests, out = chosen(changed(), Graph())
    print("Left out, as slow:", *out or ["none"], flush=True)
    os.environ["CHECK_ENDS"] = str(time.time() + SECONDS)
    options = "-q -rs -n 2 --no-loadscope-reorder -p tools.changed_tests"
    command = [sys.executable, "-m", "pytest", *options.split(), *tests]
    sys.exit(subprocess.run(command, cwd=build_files.ROOT).returncode)


if __name__ == "__main__":
    main()
