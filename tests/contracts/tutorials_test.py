"""The tutorials: a notebook is its script, run without an error.

`make tutorials` runs them. What the site makes of them is tested here, too.
"""

import base64
import json
import re
import sys

import pytest

from tests.support import pages
from tools import site_notebooks

FOLDER = pages.ROOT / "docs/tutorials"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
# A path from the root; not the end of an address, and not a fraction.
MACHINE = re.compile(r"(?<![\w.:/])/(?:home|opt|root|tmp|usr|var|work)/")


def notebook(name):
    """Returns a notebook, a dict."""
    return json.loads((FOLDER / f"{name}.ipynb").read_text())


def cells(script):
    """Yields (kind, title, source) of the cells of a script.

    This reads the percent format on its own, without jupytext.
    """
    for part in re.split(r"^# %%", script, flags=re.MULTILINE)[1:]:
        head, _, source = part.partition("\n")
        source, title = source.strip("\n"), head.strip()
        if title == "[markdown]":
            lines = [line[2:] for line in source.splitlines()]
            yield "markdown", "", "\n".join(lines)
        else:
            yield "code", title, source


def test_a_script_has_a_notebook():
    assert NAMES == sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    assert NAMES


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("mkdocs.yml", r" tutorials/(\w+)\.md"),
        ("docs/tutorials/index.md", r"\((\w+)\.ipynb\)"),
    ],
)
def test_all_are_listed(page, link):
    listed = re.findall(link, pages.text(page))
    assert sorted(set(listed) - {"index"}) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_those_of_the_script(name):
    found = [
        (
            cell["cell_type"],
            cell["metadata"].get("title", ""),
            "".join(cell["source"]),
        )
        for cell in notebook(name)["cells"]
    ]
    assert found == list(cells((FOLDER / f"{name}.py").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_has_run(name):
    """All of it, from the top, in one go."""
    code = [c for c in notebook(name)["cells"] if c["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert len(outputs) >= 3
    for output in outputs:
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr"
        assert not MACHINE.search(json.dumps(output))


@pytest.mark.parametrize("name", NAMES)
def test_is_small(name):
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 130_000
    assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= 200
    assert notebook(name)["metadata"]["execution"]["processor_seconds"] < 180


@pytest.mark.parametrize("name", NAMES)
def test_page(name):
    """The page has the text as it is, and all that was printed and drawn."""
    read = notebook(name)
    text, figures = site_notebooks.page(name, read)
    drawn = []
    for cell in read["cells"]:
        assert "".join(cell["source"]).rstrip() in text
        for output in cell.get("outputs", []):
            image = output.get("data", {}).get("image/png")
            if image:
                drawn.append(base64.b64decode(image))
            else:
                assert "".join(output["text"]).rstrip() in text
    assert list(figures.values()) == drawn
    assert re.findall(r"!\[.{20,}\]\((.*)\)", text) == list(figures)
    assert all(data.startswith(b"\x89PNG") for data in figures.values())


def test_paths_of_a_machine_are_found():
    assert MACHINE.search('"/home/me/x"') and MACHINE.search("in /tmp/a")
    assert not MACHINE.search("https://host/work/x") and not MACHINE.search(
        "a/b"
    )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
