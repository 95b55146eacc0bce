"""Figures of planes: a panel for each result, all on one scale."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import axes as matplotlib_axes
from matplotlib import colors
from matplotlib import contour
from matplotlib import ticker

from keras_sam.landscape._ascent_plane import AscentPlane
from keras_sam.landscape._lines_and_planes import Plane
from keras_sam.landscape._plots import style
from keras_sam.landscape._plots import ticks

# A loss whose median rise is a smaller share of its largest rises much faster
# than a parabola: levels are then spaced as 1, 2, 5, 10.
_SKEWED = 0.33
_QUANTILE = 0.95  # Of the losses: what is above has the last colour.


def plane(named: Mapping[str, Plane], panels: style.Panels) -> None:
    """Draws the loss over planes, minus the loss at w."""
    origins = {name: _at_w(result) for name, result in named.items()}
    _draw(named, origins, panels)
    for axes in panels.axes:
        axes.plot(0, 0, "*", color="white", markeredgecolor="black", ms=11)
        axes.set(xlabel="first direction")
    panels.axes[0].set(ylabel="second direction")
    _label_once(panels.axes)


def ascent_plane(
    named: Mapping[str, AscentPlane], panels: style.Panels
) -> None:
    """Draws the plane of a climb, with the climb and the one step in it."""
    origins = {name: float(r.path_losses[0]) for name, r in named.items()}
    _draw(named, origins, panels)
    steps = style.shared(named, "ascent_steps")
    radius = style.shared(named, "radius") or "several radii"
    gap = "\n" if len(named) > 2 else " "  # Three panels are narrow.
    for axes, (name, result) in zip(panels.axes, named.items(), strict=True):
        _climb(axes, result, origins[name], f"{steps or 'n'} steps ({radius})")
        axes.set(xlabel=f"along the first step,{gap}in rho = {result.rho:g}")
        ways = np.vstack([result.path, result.one_step])
        axes.set_xlim(*_around(ways[:, 0], result.x))
        axes.set_ylim(*_around(ways[:, 1], result.y))
    random = style.shared(named, "second") == "random"
    panels.axes[0].set(
        ylabel="random, across it, in rho" if random else "across it, in rho"
    )
    _label_once(panels.axes)
    panels.legend(3)


def height(named: Mapping[str, Plane], width: float) -> float:
    """Returns the height of a figure in which the panels fit."""
    legend = any(isinstance(r, AscentPlane) for r in named.values())
    shapes = [np.ptp(r.y) / np.ptp(r.x) for r in named.values()]
    return (width - 1.6) / len(named) * max(shapes) + (1.4 if legend else 1.1)


def _around(points: np.ndarray, grid: np.ndarray) -> tuple[float, float]:
    """Returns limits that all panels can share: half a rho around a climb."""
    low = max(grid.min(), np.floor(4 * points.min() - 1.5) / 4)
    high = min(grid.max(), np.ceil(4 * points.max() + 1.5) / 4)
    return float(low), float(high)


def _draw(
    named: Mapping[str, Plane],
    origins: Mapping[str, float | None],
    panels: style.Panels,
) -> None:
    relative = all(loss is not None for loss in origins.values())
    rises = {
        name: result.losses - (origins[name] or 0.0 if relative else 0.0)
        for name, result in named.items()
    }
    scale = _levels(list(rises.values()), relative)
    for axes, (name, result) in zip(panels.axes, named.items(), strict=True):
        filled = _filled(axes, result, rises[name], scale)
        at_w = f"loss at w: {origins[name]:.3g}" if relative else ""
        axes.set(title="\n".join(filter(None, [name, at_w])), aspect="equal")
        axes.xaxis.set_major_locator(ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    beside = panels.axes[-1].inset_axes((1.04, 0.0, 0.05, 1.0))
    bar = panels.figure.colorbar(
        filled, cax=beside, label=style.RISE if relative else "loss"
    )
    bar.set_ticks(list(scale[:: 1 + len(scale) // 9]))
    ticks.plain(bar.ax.yaxis)


def _label_once(row: Sequence[matplotlib_axes.Axes]) -> None:
    """Hides the numbers at the left of a panel that the first panel shows.

    Both limits must be equal: panels of another shape have another height.
    """
    first, *others = row
    for axes in others:
        shown, own = ((*a.get_xlim(), *a.get_ylim()) for a in (first, axes))
        if np.allclose(shown, own):
            axes.tick_params(labelleft=False)


def _filled(
    axes: matplotlib_axes.Axes,
    result: Plane,
    rises: np.ndarray,
    levels: np.ndarray,
) -> contour.QuadContourSet:
    map_ = matplotlib.colormaps["cividis"]
    finite = np.where(np.isposinf(rises), 1e30, rises)
    norm = colors.BoundaryNorm(levels, map_.N, extend="both")
    axes.contour(
        *(result.x, result.y, finite, levels),
        colors="white",
        linewidths=0.4,
        alpha=0.6,
    )
    return axes.contourf(
        *(result.x, result.y, finite, levels),
        cmap=map_,
        norm=norm,
        extend="both",
    )


def _levels(rises: Sequence[np.ndarray], relative: bool) -> np.ndarray:
    """Returns round levels that all panels share."""
    values = np.concatenate([r[np.isfinite(r)] for r in rises])
    low, high = values.min(), np.quantile(values, _QUANTILE)
    above = values[values > 0]
    if not high > low:
        return np.array([low, low + 1.0])
    if relative and above.size and np.median(above) < _SKEWED * high:
        lowest = 10 ** (np.floor(np.log10(high)) - 2)
        return ticks.of_decades(lowest, high * 1.01, ticks.SPACINGS[0])
    locator = ticker.MaxNLocator(12, steps=[1, 2, 2.5, 5, 10])
    return np.asarray(locator.tick_values(low, high))


def _at_w(result: Plane) -> float | None:
    """Returns the loss at w, if the grid has a point there."""
    row, column = (int(np.argmin(np.abs(v))) for v in (result.y, result.x))
    near = max(abs(result.y[row]), abs(result.x[column]))
    reach = max(np.max(np.abs(result.x)), np.max(np.abs(result.y)))
    loss = result.losses[row, column]
    there = near <= 1e-9 * reach and np.isfinite(loss)
    return float(loss) if there else None


def _climb(
    axes: matplotlib_axes.Axes, result: AscentPlane, at_w: float, steps: str
) -> None:
    """Draws w, the climb and the one step, with the rises at their ends."""
    shown: dict[str, Any] = {"markeredgecolor": "white", "markersize": 6}
    axes.plot(*result.path.T, "o-", color="#D55E00", label=steps, **shown)
    once = np.array([[0.0, 0.0], result.one_step])
    axes.plot(*once.T, "s--", color="black", label="one step", **shown)
    axes.plot(
        0, 0, "*", color="black", label="w", **{**shown, "markersize": 12}
    )
    ends = (
        (result.path[-1], result.path_losses[-1], (0, 8), "bottom"),
        (result.one_step, result.one_step_loss, (0, -8), "top"),
    )
    for place, loss, offset, side in ends:
        axes.annotate(
            f"{loss - at_w:+.3g}",
            (place[0], place[1]),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va=side,
            fontsize="small",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "lw": 0},
        )
