"""What mkdocs does to a page before it builds it."""

import sys
import types

import pytest

from tools import site_hooks

CONFIG = {"repo_url": "https://host/owner/keras_sam"}


def read(path, text):
    """Returns the text of a page as mkdocs gets it."""
    page = types.SimpleNamespace(file=types.SimpleNamespace(src_uri=path))
    return site_hooks.on_page_markdown(text, page, CONFIG)


@pytest.mark.parametrize(
    ("path", "link", "found"),
    [
        ("faq.md", "study.md", "study.md"),
        ("guides/models.md", "../study.md#cost", "../study.md#cost"),
        ("faq.md", "#a", "#a"),
        ("faq.md", "https://keras.io/a.md", "https://keras.io/a.md"),
        ("faq.md", "tutorials/a.ipynb", "tutorials/a.md"),
        ("tutorials/a.md", "b.ipynb", "b.md"),
        ("faq.md", "../LICENSE", f"{CONFIG['repo_url']}/blob/main/LICENSE"),
        (
            "guides/models.md",
            "../../keras_sam/model.py",
            f"{CONFIG['repo_url']}/blob/main/keras_sam/model.py",
        ),
    ],
)
def test_links(path, link, found):
    assert read(path, f"See [this]({link}).") == f"See [this]({found})."


def test_an_included_file_has_links_of_the_page():
    text = read("guides/x.md", "<!-- include: CONTRIBUTING.md -->")
    assert text.startswith("# Contributing\n")
    assert "](../conformance.md)" in text
    assert "](docs/" not in text


def test_a_link_outside_of_the_documentation_must_hold():
    with pytest.raises(FileNotFoundError, match="nothing.py"):
        read("faq.md", "[a](../nothing.py)")


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
