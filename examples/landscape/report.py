"""The table and the HTML page of the results of `measurements.py`."""

import base64
import html

import numpy as np

from examples.landscape import figures

CAPTIONS = {
    "ascent_plane": "The plane of the climb: the first axis along its first "
    "step, the second along what the end of the climb adds to it. Losses are "
    "means over all examples; the climb is that on their mean gradient.",
    "path": "Along the climb, batch by batch: mean and standard deviation over "
    "batches.",
    "sharpness": "How much the loss rises: at the end of one step, at the "
    "worst point of n steps of rho / n, of 20 projected steps of rho / 10, and "
    "on average over Gaussian perturbations of deviation rho a weight, which "
    "are longer than the climbs.",
    "spectrum": "The spectrum of the Hessian, by stochastic Lanczos "
    "quadrature, smoothed by Gaussians; the largest eigenvalues by Lanczos.",
    "plane": "A random plane, filter-normalized, the same for all checkpoints "
    "of one network.",
    "line": "A random line, filter-normalized.",
}
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Loss landscape</title>
<style>
body {{ font-family: sans-serif; max-width: 60em; margin: 2em auto; }}
table {{ border-collapse: collapse; }}
td, th {{ border: 1px solid #999; padding: 0.3em 0.6em; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }}
figure {{ margin: 2em 0; }} img {{ max-width: 100%; }}
</style></head><body>
<h1>Loss landscape</h1>
<table>{rows}</table>
<p>{settings}</p>
{figures}
</body></html>
"""


def rows(content):
    """Returns the table: rows of strings, the first one the head."""
    known = list(content.values())
    first = known[0]
    steps = first["sharpness"]["ascent_steps"]

    def row(title, value, form=".4g"):
        return [title, *(format(value(k), form) for k in known)]

    def mean(name):
        # Over batches.
        return lambda k: np.average(k["path"][name], weights=k["path"]["sizes"])

    return [
        ["", *map(figures.label, content)],
        row("examples", lambda k: k["evaluation"]["examples"], "d"),
        row("trained weights", lambda k: k["evaluation"]["weights"], "d"),
        row("loss", lambda k: k["evaluation"]["loss"]),
        row("accuracy", lambda k: k["evaluation"]["accuracy"]),
        row("sharpness, one step", lambda k: k["sharpness"]["one_step"]),
        row(f"sharpness, {steps} steps", lambda k: k["sharpness"]["value"]),
        row("gap of the two", lambda k: k["sharpness"]["gap"]),
        row("sharpness, 20 projected steps", lambda k: k["worst"]["value"]),
        row("average-case sharpness", lambda k: k["average"]["value"]),
        row("its standard error", lambda k: k["average"]["standard_error"]),
        row("length of its noise", lambda k: np.mean(k["average"]["lengths"])),
        row("cosine of g_0 and z_n - w", mean("cosine_to_displacement")),
        row("straightness of the climb", mean("straightness")),
        row("|g_n| / |g_0|", mean("descent_ratio")),
        row("largest eigenvalue", lambda k: k["eigenvalues"]["values"][0]),
        row("its residual", lambda k: k["eigenvalues"]["residuals"][0]),
        row("trace of the Hessian", lambda k: k["trace"]["value"]),
        row("its standard error", lambda k: k["trace"]["standard_error"]),
    ]


def table(content):
    """Returns the table for a terminal."""
    lines = rows(content)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def write(content, settings, folder):
    """Writes report.html, which needs no other file."""
    lines = []
    for number, line in enumerate(rows(content)):
        tag = "td" if number else "th"
        cells = "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in line)
        lines.append(f"<tr>{cells}</tr>")
    images = []
    for name, caption in CAPTIONS.items():
        image = base64.b64encode((folder / f"{name}.svg").read_bytes())
        images.append(
            f'<figure><img alt="{name}" src="data:image/svg+xml;base64,'
            f'{image.decode()}"><figcaption>{html.escape(caption)}'
            "</figcaption></figure>"
        )
    given = ", ".join(f"{k} = {v}" for k, v in settings.items())
    page = _PAGE.format(
        rows="\n".join(lines),
        settings=html.escape(f"Settings: {given}."),
        figures="\n".join(images),
    )
    (folder / "report.html").write_text(page)
