"""Draws the figures from the numbers in `landscape.json` alone."""

import pathlib

import matplotlib
import numpy as np
from matplotlib import figure

from keras_sam import landscape

_REACH = 1.0  # Of the random plane, in filter-normalized units.
# Files that do not change unless the numbers do.
_CONSTANT = {"svg.hashsalt": "keras_sam", "svg.fonttype": "none"}


def coordinates(side):
    """Returns the coordinates of one side of a random plane."""
    return np.linspace(-_REACH, _REACH, side)


def draw_all(content, folder):
    """Writes every figure as PNG and SVG.

    Args:
        content: {checkpoint: {name: dict of a result}}.
        folder: `pathlib.Path`.

    Returns:
        List of the names, without endings.
    """
    drawings = {
        "ascent_plane": lambda of: landscape.plot(
            _named(of, "ascent_plane", landscape.AscentPlane)
        ),
        "path": lambda of: landscape.plot(_named(of, "path", landscape.Path)),
        "sharpness": _sharpness,
        "spectrum": _spectra,
        "plane": lambda of: landscape.plot(
            _named(of, "plane", landscape.Plane)
        ),
        "line": lambda of: landscape.plot(_named(of, "line", landscape.Line)),
    }
    with matplotlib.rc_context(_CONSTANT):
        for name, draw in drawings.items():
            canvas = draw(content)
            canvas.savefig(
                folder / f"{name}.svg", metadata={"Date": None, "Creator": None}
            )
            canvas.savefig(folder / f"{name}.png", dpi=150)
    return list(drawings)


def label(path):
    """Returns a short name of a checkpoint."""
    return "/".join(pathlib.Path(path).parts[-2:])


def _named(content, name, kind):
    """Returns {label: result of one measurement} of all checkpoints."""
    return {
        label(path): kind.from_dict(known[name])
        for path, known in content.items()
    }


def _sharpness(content):
    """Climbs share an axis; random noise has a length, and an axis, of its own.

    The climbs are the n steps of rho / n, and the projected ones.
    """
    canvas = figure.Figure(figsize=(9.5, 3.4), layout="constrained")
    split, projected, noise = canvas.subplots(1, 3)
    projected.sharey(split)
    for axes, name, kind in (
        (split, "sharpness", landscape.Sharpness),
        (projected, "worst", landscape.Sharpness),
        (noise, "average", landscape.AverageSharpness),
    ):
        landscape.plot(_named(content, name, kind), axes=axes)
    return canvas


def _spectra(content):
    """The density, with the largest eigenvalues as ticks at the top."""
    canvas = landscape.plot(
        _named(content, "density", landscape.SpectralDensity)
    )
    (axes,) = canvas.axes
    for place, (curve, known) in enumerate(
        zip(list(axes.lines), content.values(), strict=True)
    ):
        values = known["eigenvalues"]["values"]
        axes.plot(
            values,
            np.full(len(values), 0.97 - 0.05 * place),
            "|",
            markersize=8,
            color=curve.get_color(),
            transform=axes.get_xaxis_transform(),
        )
    axes.set(xlabel=f"{axes.get_xlabel()}\nticks at the top: the largest ones")
    return canvas
