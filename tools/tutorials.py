"""Runs the tutorials, and writes them as notebooks with their outputs.

    make tutorials

A tutorial is a program in docs/tutorials/, in the percent format of jupytext.
The notebook beside it has the same cells and what came out of them. A cell that
raises an error, or writes to the stream of errors, ends this program: readers
should see neither.
"""

import argparse
import base64
import importlib.metadata
import io
import os
import pathlib
import platform
import re
import resource
import tempfile

import jupytext
import nbclient
import nbformat
from PIL import Image

FOLDER = pathlib.Path(__file__).parents[1] / "docs/tutorials"
PACKAGES = ("keras", "tensorflow-cpu", "numpy")
SECONDS = 3600  # Of a cell; on a busy machine even a short one takes long.


def main():
    """Writes the notebooks of the scripts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "scripts",
        nargs="*",
        type=pathlib.Path,
        default=sorted(FOLDER.glob("*.py")),
        help="all of docs/tutorials/ unless given",
    )
    parser.add_argument(
        "--text",
        action="store_true",
        help="run nothing: only cells of text have changed",
    )
    arguments = parser.parse_args()
    for script in arguments.scripts:
        notebook, path = read(script), script.with_suffix(".ipynb")
        if arguments.text:
            keep_outputs(notebook, nbformat.read(path, as_version=4))
        else:
            run(notebook)
        path.write_text(nbformat.writes(notebook, indent=1) + "\n")
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def read(script):
    """Returns the notebook of a script, without outputs."""
    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # Random ones would differ each time.
    notebook.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        }
    }
    return notebook


def run(notebook):
    """Runs a notebook in an empty folder, and keeps what comes out.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell raises an error.
        RuntimeError: If a cell writes to the stream of errors.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    before = _processor_seconds()
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            notebook,
            timeout=SECONDS,
            startup_timeout=SECONDS,  # Of a busy machine.
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": folder}},
            # TensorFlow's C++ talks past Python, to the terminal.
            extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    for output in _outputs(notebook):
        if output.get("name") == "stderr":
            raise RuntimeError(
                "A tutorial must not write to the stream of errors. Received: "
                f"{output.text}"
            )
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = _small(output.data["image/png"])
    notebook.metadata["execution"] = {
        "processor": _processor(),
        "processor_seconds": round(_processor_seconds() - before),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
    }


def keep_outputs(notebook, old):
    """Gives a notebook the outputs of an older one with the same code.

    Raises:
        ValueError: If the code differs.
    """
    cells, olds = (
        [cell for cell in each.cells if cell.cell_type == "code"]
        for each in (notebook, old)
    )
    if [c.source for c in cells] != [c.source for c in olds]:
        raise ValueError("The code has changed, so --text cannot do: run it")
    for cell, same in zip(cells, olds, strict=True):
        cell.outputs, cell.execution_count = same.outputs, same.execution_count
    notebook.metadata = old.metadata


def _joined(outputs):
    """Returns outputs, with what was printed in pieces as one."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if "text" in output and output.get("name") == last.get("name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _small(figure):
    """Returns a PNG in base64 with 256 colours: a quarter of the size."""
    image = Image.open(io.BytesIO(base64.b64decode(figure))).convert("RGB")
    written = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(
        written, "png", optimize=True
    )
    return base64.b64encode(written.getvalue()).decode()


def _outputs(notebook):
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def _processor_seconds():
    """Returns the processor time of all processes that this one has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _processor():
    """Returns the name of the processor, as Linux gives it."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return name[1] if name else platform.machine()


if __name__ == "__main__":
    main()
