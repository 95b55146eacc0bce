"""What mkdocs does to the pages of docs/ before it builds them: `make docs`.

A page may hold the line `<!-- include: CHANGELOG.md -->`. It becomes the text
of that file of the top level. Links of a page to files outside of docs/ become
links to the repository, since the site has pages of docs/ alone. A link to a
notebook becomes a link to its page: `site_notebooks.py`.
"""

import pathlib
import posixpath
import re

ROOT = pathlib.Path(__file__).parents[1]
_INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
_NOTEBOOK = re.compile(r"^(docs/tutorials/\w+)\.ipynb$")
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")  # A colon: another site.


def on_page_markdown(markdown, page, config, **_):
    """Returns the text of a page as mkdocs should read it."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def included(match):
        text = (ROOT / match[1]).read_text()
        return _with_links(text, "", folder, config["repo_url"])

    markdown = _with_links(markdown, folder, folder, config["repo_url"])
    return _INCLUDE.sub(included, markdown)


def _with_links(markdown, source, folder, repository):
    """Returns Markdown of one folder with links that hold in another.

    Args:
        markdown: String.
        source: String, the folder that the links are relative to.
        folder: String, the folder of the page, docs/ or below.
        repository: String, the address of the repository.
    """

    def link(match):
        path = posixpath.normpath(posixpath.join(source, match[1]))
        if path.startswith("docs/"):
            return posixpath.relpath(_NOTEBOOK.sub(r"\1.md", path), folder)
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"A link of {source or '.'} needs {path}")
        return f"{repository}/blob/main/{path}"

    return _LINK.sub(link, markdown)
