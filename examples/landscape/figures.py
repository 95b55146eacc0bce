"""Draws the figures from the numbers in `landscape.json` alone."""

import pathlib

import matplotlib
import numpy as np
from matplotlib import figure

# Okabe and Ito's colours; the dashes tell the lines apart in grey too.
STYLES = (("#0072B2", "-"), ("#D55E00", "--"))
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
        "ascent_plane": _ascent_planes,
        "path": _paths,
        "sharpness": _sharpness,
        "spectrum": _spectra,
        "plane": _planes,
        "line": _lines,
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


def _side_by_side(content, width=5.5, height=4.6):
    canvas = figure.Figure(
        figsize=(width * len(content), height), layout="constrained"
    )
    axes = canvas.subplots(1, len(content), squeeze=False)[0]
    return canvas, list(zip(axes, content.items(), strict=True))


def _one(content, width=6.5, height=4.2):
    canvas = figure.Figure(figsize=(width, height), layout="constrained")
    return canvas, canvas.subplots()


def _each(content):
    """Yields (label, results, colour, dashes) of every checkpoint."""
    for (path, known), style in zip(content.items(), STYLES, strict=False):
        yield label(path), known, *style


def _array(values):
    """Returns an array in which what was not measured is NaN."""
    return np.array(values, dtype="float64")


def _levels(content, name):
    """Returns levels of contours that all checkpoints share."""
    losses = np.concatenate(
        [np.ravel(_array(known[name]["losses"])) for known in content.values()]
    )
    low, high = np.nanmin(losses), np.nanquantile(losses, 0.95)
    return np.linspace(low, high if high > low else low + 1, 16)


def _filled(axes, found, levels):
    return axes.contourf(
        *(found["x"], found["y"], _array(found["losses"])),
        levels=levels,
        cmap="cividis",
        extend="both",
    )


def _ascent_planes(content):
    """The picture that tells one step from several."""
    canvas, pairs = _side_by_side(content)
    levels = _levels(content, "ascent_plane")
    for axes, (path, known) in pairs:
        found = known["ascent_plane"]
        filled = _filled(axes, found, levels)
        way, once = _array(found["path"]), found["one_step"]
        axes.plot(
            *way.T,
            *("o-",),
            color="#D55E00",
            label=f"{found['ascent_steps']} steps ({found['radius']})",
        )
        axes.plot(
            *zip((0, 0), once, strict=True),
            *("s--",),
            color="white",
            markeredgecolor="black",
            label="one step",
        )
        axes.plot(0, 0, "*", color="black", markersize=12, label="w")
        axes.set(
            title=label(path),
            xlabel=f"along the first step (units of rho = {found['rho']:g})",
            ylabel="along what the climb adds (units of rho)",
            aspect="equal",
        )
        axes.legend(loc="upper left", fontsize="small")
    canvas.colorbar(
        filled, ax=[axes for axes, _ in pairs], label="mean loss", shrink=0.7
    )
    return canvas


def _planes(content):
    canvas, pairs = _side_by_side(content)
    levels = _levels(content, "plane")
    for axes, (path, known) in pairs:
        found = known["plane"]
        filled = _filled(axes, found, levels)
        axes.plot(0, 0, "*", color="white", markersize=12)
        axes.set(
            title=label(path),
            xlabel="first random direction (filter-normalized)",
            ylabel="second random direction (filter-normalized)",
            aspect="equal",
        )
    canvas.colorbar(
        filled, ax=[axes for axes, _ in pairs], label="mean loss", shrink=0.7
    )
    return canvas


def _lines(content):
    canvas, axes = _one(content)
    for name, known, colour, dashes in _each(content):
        found = known["line"]
        axes.plot(
            found["coordinates"],
            _array(found["losses"]),
            color=colour,
            linestyle=dashes,
            label=name,
        )
    axes.set(
        xlabel="random direction (filter-normalized)",
        ylabel="mean loss",
    )
    axes.legend()
    return canvas


def _paths(content):
    """Loss, gradient and turning along the climb; mean over batches."""
    canvas = figure.Figure(figsize=(11, 3.8), layout="constrained")
    loss, norm, cosine = canvas.subplots(1, 3)
    for name, known, colour, dashes in _each(content):
        found = known["path"]
        sizes = found["sizes"]
        rises = _array(found["losses"])
        rises = rises - rises[:, :1]
        for axes, values, first in (
            (loss, rises, 0),
            (norm, _array(found["gradient_norms"]), 0),
            (cosine, _array(found["cosines_to_first"]), 1),
        ):
            mean = np.average(values, axis=0, weights=sizes)
            spread = np.sqrt(
                np.average((values - mean) ** 2, axis=0, weights=sizes)
            )
            steps = np.arange(first, first + len(mean))
            axes.plot(steps, mean, color=colour, linestyle=dashes, label=name)
            axes.fill_between(
                steps, mean - spread, mean + spread, color=colour, alpha=0.15
            )
    rho = next(iter(content.values()))["path"]["rho"]
    loss.set(ylabel="loss above that at w")
    norm.set(ylabel="gradient norm")
    cosine.set(ylabel="cosine to the gradient at w")
    for axes in (loss, norm, cosine):
        axes.set(xlabel=f"step of the climb (rho = {rho:g})")
    loss.legend(fontsize="small")
    return canvas


SHARPNESSES = (
    ("one step", "sharpness", "one_step"),
    ("n steps", "sharpness", "value"),
    ("20 projected", "worst", "value"),
    ("random noise", "average", "value"),
)


def _titles(content):
    """Returns the titles of the bars: random noise has a length of its own."""
    lengths = [
        np.mean(known["average"]["lengths"]) for known in content.values()
    ]
    *climbs, noise = [title for title, *_ in SHARPNESSES]
    return [*climbs, f"{noise},\nlength {np.mean(lengths):.2g}"]


def _sharpness(content):
    canvas, axes = _one(content)
    width = 0.8 / len(content)
    for number, (name, known, colour, _) in enumerate(_each(content)):
        axes.bar(
            np.arange(len(SHARPNESSES)) + number * width,
            [known[result][field] for _, result, field in SHARPNESSES],
            width,
            color=colour,
            hatch=("", "//")[number],
            edgecolor="black",
            label=name,
        )
    found = next(iter(content.values()))["sharpness"]
    axes.set_xticks(
        np.arange(len(SHARPNESSES)) + (len(content) - 1) * width / 2,
        _titles(content),
    )
    axes.set(
        ylabel="rise of the loss",
        xlabel=f"climbs of radius rho = {found['rho']:g}, "
        f"n = {found['ascent_steps']}",
    )
    axes.legend()
    return canvas


def _spectra(content):
    canvas, axes = _one(content)
    for name, known, colour, dashes in _each(content):
        found = known["density"]
        axes.plot(
            found["grid"],
            np.maximum(_array(found["density"]), 1e-12),
            color=colour,
            linestyle=dashes,
            label=name,
        )
    for _, known, colour, _ in _each(content):
        found = known["eigenvalues"]
        for value in found["values"]:
            axes.axvline(value, color=colour, linewidth=0.6, alpha=0.6)
    axes.set(
        xlabel="eigenvalue of the Hessian (thin lines: the largest ones)",
        ylabel="density",
        yscale="log",
        ylim=(1e-6, None),
    )
    axes.legend()
    return canvas
