"""Figures of single numbers: sharpness, average sharpness, trace."""

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as matplotlib_axes

from keras_sam.landscape._average_sharpness import AverageSharpness
from keras_sam.landscape._plots import style
from keras_sam.landscape._sharpness import Sharpness
from keras_sam.landscape._trace import Trace

_ERRORS = "(error bars: standard errors)"
_WIDTH = 0.8  # Of the bars of a group together; 1 is the distance of groups.


def sharpness(named: Mapping[str, Sharpness], panels: style.Panels) -> None:
    """Draws the rise at the end of one step, and the worst of n steps."""
    (axes,) = panels.axes
    steps = style.shared(named, "ascent_steps")
    rho = style.shared(named, "rho")
    radius = style.shared(named, "radius") or "several radii"
    several = f"{steps or 'n'} steps ({radius})"
    groups = ["one step"] + [several] * (steps != 1)
    for number, (name, result, look) in enumerate(style.each(named)):
        text = style.label(
            name,
            "" if rho else f"rho = {result.rho:g}",
            "" if steps else f"n = {result.ascent_steps}",
        )
        heights = [result.one_step, result.value][: len(groups)]
        _bars(axes, number, len(named), heights, look, text)
    axes.set_xticks(range(len(groups)), groups)
    axes.set(
        ylabel="largest rise of the loss",
        xlabel=f"climbs of radius rho = {rho:g}" if rho else "",
    )
    panels.legend(len(named))


def average(
    named: Mapping[str, AverageSharpness], panels: style.Panels
) -> None:
    """Draws the mean rise under noise, with its standard error."""
    (axes,) = panels.axes
    rho = style.shared(named, "rho")
    titles = []
    for number, (name, result, look) in enumerate(style.each(named)):
        _bar_with_error(axes, number, result, look, name)
        own = "" if rho else f"\nrho = {result.rho:g}"
        titles.append(f"length {np.mean(result.lengths):.2g}{own}")
    axes.set_xticks(range(len(named)), titles)
    axes.set(
        ylabel="mean rise of the loss",
        xlabel=(f"noise of {rho:g} a weight\n" if rho else "") + _ERRORS,
    )
    panels.legend(len(named))


def trace(named: Mapping[str, Trace], panels: style.Panels) -> None:
    """Draws the trace of the Hessian, with its standard error."""
    (axes,) = panels.axes
    for number, (name, result, look) in enumerate(style.each(named)):
        _bar_with_error(axes, number, result, look, name)
    axes.set_xticks([])
    axes.set(ylabel="trace of the Hessian", xlabel=_ERRORS)
    panels.legend(len(named))


def _bars(
    axes: matplotlib_axes.Axes,
    number: int,
    count: int,
    heights: Sequence[float],
    look: style.Style,
    text: str,
) -> None:
    """Draws the bars of a result, one in each group, with their values."""
    width = _WIDTH / count
    middle = (number - (count - 1) / 2) * width
    drawn = axes.bar(
        np.arange(len(heights)) + middle,
        heights,
        width,
        color=look.colour,
        hatch=look.hatch,
        edgecolor="white",
        label=text,
    )
    axes.bar_label(drawn, fmt="%.3g", padding=2, fontsize="small")
    axes.margins(y=0.15)


def _bar_with_error(
    axes: matplotlib_axes.Axes,
    number: int,
    result: AverageSharpness | Trace,
    look: style.Style,
    text: str,
) -> None:
    error = result.standard_error
    drawn = axes.bar(
        [number],
        [result.value],
        _WIDTH * 0.6,
        color=look.colour,
        hatch=look.hatch,
        edgecolor="white",
        yerr=error if np.isfinite(error) else None,
        error_kw={"capsize": 4, "ecolor": "black"},
        label=text,
    )
    axes.bar_label(drawn, fmt="%.3g", padding=2, fontsize="small")
    axes.margins(x=0.3, y=0.15)
    axes.axhline(0.0, color="black", linewidth=0.6)
