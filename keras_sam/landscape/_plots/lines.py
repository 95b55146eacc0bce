"""Figures of curves: lines, paths, eigenvalues and their density."""

from collections.abc import Mapping

import numpy as np
from matplotlib import axes as matplotlib_axes
from matplotlib import ticker

from keras_sam.landscape import _results
from keras_sam.landscape._density import SpectralDensity
from keras_sam.landscape._eigenvalues import Eigenvalues
from keras_sam.landscape._lines_and_planes import Line
from keras_sam.landscape._path import Path
from keras_sam.landscape._plots import style

_LOWEST = 1e-6  # Of the largest density: what is below is not shown.


def line(named: Mapping[str, Line], panels: style.Panels) -> None:
    """Draws the loss along a direction, minus the loss at w."""
    (axes,) = panels.axes
    at_w = [_at_w(result) for result in named.values()]
    relative = all(loss is not None for loss in at_w)
    for (name, result, look), loss in zip(style.each(named), at_w, strict=True):
        finite = np.where(np.isfinite(result.losses), result.losses, np.nan)
        axes.plot(
            result.coordinates,
            finite - (loss if relative and loss is not None else 0.0),
            color=look.colour,
            linestyle=look.dashes,
            label=style.label(name, f"{loss:.3g} at w" if relative else ""),
        )
    axes.axvline(0.0, color="grey", linewidth=0.6)
    axes.set(
        xlabel="coordinate along the direction; w is at 0",
        ylabel=style.RISE if relative else "loss",
    )
    panels.legend(len(named))


def _at_w(result: Line) -> float | None:
    """Returns the loss at w, if the line has a point there."""
    nearest = int(np.argmin(np.abs(result.coordinates)))
    reach = np.max(np.abs(result.coordinates))
    loss = result.losses[nearest]
    at_zero = abs(result.coordinates[nearest]) <= 1e-9 * reach
    return float(loss) if at_zero and np.isfinite(loss) else None


def path(named: Mapping[str, Path], panels: style.Panels) -> None:
    """Draws loss, gradient and turning along the climb, over batches."""
    loss, norm, cosine = panels.axes
    batches = 0
    for name, result, look in style.each(named):
        batches = max(batches, len(result.sizes))
        rises = result.losses - result.losses[:, :1]
        clean = _results.mean(result.losses[:, 0], result.sizes)
        text = style.label(name, f"{clean:.3g} at w")
        for axes, values, first in (
            (loss, rises, 0),
            (norm, result.gradient_norms, 0),
            (cosine, result.cosines_to_first, 1),
        ):
            _mean_and_band(axes, values, result.sizes, first, look, text)
    rho = style.shared(named, "rho")
    loss.set(ylabel=style.RISE)
    norm.set(ylabel="norm of the gradient")
    cosine.set(ylabel="cosine to the gradient at w")
    band = "; bands: ± standard deviation over batches" if batches > 1 else ""
    text = f"step of the climb{f' (rho = {rho:g})' if rho else ''}{band}"
    if panels.own:
        panels.figure.supxlabel(text, fontsize="medium")
    else:
        norm.set(xlabel=text)
    panels.legend(len(named))


def _mean_and_band(
    axes: matplotlib_axes.Axes,
    values: np.ndarray,
    sizes: np.ndarray,
    first: int,
    look: style.Style,
    text: str,
) -> None:
    steps = np.arange(first, first + values.shape[1])
    style.mean_and_band(axes, steps, values, sizes, look, text)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))


def eigenvalues(named: Mapping[str, Eigenvalues], panels: style.Panels) -> None:
    """Draws eigenvalues in their order, with their residuals."""
    (axes,) = panels.axes
    for number, (name, result, look) in enumerate(style.each(named)):
        apart = 0.08 * (number - (len(named) - 1) / 2)
        note = "" if result.converged else "not converged"
        axes.errorbar(
            np.arange(1, len(result.values) + 1) + apart,
            result.values,
            yerr=result.residuals,
            color=look.colour,
            linestyle="none",
            marker=look.marker,
            capsize=3,
            label=style.label(name, note),
        )
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.axhline(0.0, color="grey", linewidth=0.6)
    axes.set(
        ylabel="eigenvalue of the Hessian",
        xlabel="number in the order asked for (error bars: residuals)",
    )
    panels.legend(len(named))


def density(named: Mapping[str, SpectralDensity], panels: style.Panels) -> None:
    """Draws the density of the eigenvalues, on a log scale."""
    (axes,) = panels.axes
    top = max(float(np.max(r.density)) for r in named.values())
    for name, result, look in style.each(named):
        axes.plot(
            result.grid,
            np.maximum(result.density, _LOWEST * top / 10),
            color=look.colour,
            linestyle=look.dashes,
            label=style.label(name, f"width {result.sigma:.2g}"),
        )
    axes.set(
        xlabel="eigenvalue of the Hessian\n"
        "(smoothed: each bump is a Gaussian of the width in the legend)",
        ylabel="share of eigenvalues per unit",
        yscale="log",
        ylim=(_LOWEST * top, 3 * top),
    )
    panels.legend(len(named))
