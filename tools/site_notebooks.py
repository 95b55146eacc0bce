"""Pages of the site from the notebooks in docs/tutorials/: `make docs`.

mkdocs calls `on_files`. A notebook becomes a page with its text, its code and
the outputs that it holds. Nothing runs, and nothing is needed but mkdocs.
"""

import base64
import json
import pathlib

FOLDER = "tutorials"


def on_files(files, config, **_):
    """Adds a page for each notebook, and its figures."""
    generated = next(iter(files)).generated  # Any file: tests have no mkdocs.
    for path in sorted(
        pathlib.Path(config["docs_dir"], FOLDER).glob("*.ipynb")
    ):
        text, figures = page(path.stem, json.loads(path.read_text()))
        written = {f"{path.stem}.md": text, **figures}
        for name, content in written.items():
            files.append(generated(config, f"{FOLDER}/{name}", content=content))
    return files


def page(name, notebook):
    """Returns the page of a notebook, and its figures.

    Args:
        name: String, the name of the notebook without its ending.
        notebook: Dict, as JSON has it.

    Returns:
        String, Markdown; and {name of a file: bytes} of figures.

    Raises:
        ValueError: If there is an output that pages cannot show.
    """
    parts, figures = [], {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(_fenced(source, "python"))
        for output in cell["outputs"]:
            if "image/png" in output.get("data", {}):
                file = f"{name}-{len(figures) + 1}.png"
                figures[file] = base64.b64decode(output["data"]["image/png"])
                parts.append(f"![{cell['metadata']['title']}]({file})")
            else:
                parts.append(_fenced(_text(output), "text"))
    parts.append(_foot(name, notebook["metadata"]["execution"]))
    return "\n\n".join(parts) + "\n", figures


def _text(output):
    """Returns what a cell has printed, or the value of its last line."""
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "execute_result":
        return "".join(output["data"]["text/plain"])
    raise ValueError(f"A page cannot show the output {output['output_type']!r}")


def _fenced(text, language):
    return f"```{language}\n{text.rstrip()}\n```"


def _foot(name, execution):
    """Returns links to the files, and with what the notebook was executed."""
    versions = execution["versions"]
    return (
        "---\n\n"
        f'<a href="../{name}.ipynb" download>The notebook</a>, and '
        f'<a href="../{name}.py" download>its program</a>. '
        f"Executed with Python {versions['python']}, Keras "
        f"{versions['keras']} and TensorFlow {versions['tensorflow-cpu']}, in "
        f"{execution['processor_seconds']} seconds of processor time "
        f"({execution['processor']}). Another processor rounds otherwise, and "
        "its numbers differ."
    )
