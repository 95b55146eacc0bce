"""The figures of `examples.study`: the same file for the same rows."""

import matplotlib
import numpy as np
from matplotlib import figure
from matplotlib import ticker

from examples.study import analysis

# Okabe and Ito's colours; markers and dashes tell them apart in grey too.
STYLES = {
    "sgd": ("#000000", ":", "s"),
    "sam": ("#0072B2", "-", "o"),
    "last": ("#D55E00", "--", "v"),
    "mean": ("#009E73", "-.", "^"),
    "matched": ("#CC79A7", (0, (5, 1)), "D"),
}
# The methods of several steps.
SEVERAL = ("last", "mean", "matched")
# By the number of steps: colour and marker.
_OF_STEPS = {
    1: ("#000000", "s"),
    2: ("#56B4E9", "o"),
    3: ("#D55E00", "v"),
    5: ("#0072B2", "D"),
}


def draw(rows, folder):
    """Writes every figure, as PNG and as SVG."""
    cells = analysis.cells(rows)
    save({"radius": by_radius(cells), "differences": forest(cells)}, folder)


def save(drawn, folder):
    """Writes figures, {name: figure}: the same files for the same figures."""
    with matplotlib.rc_context(
        {"svg.hashsalt": "study", "svg.fonttype": "none"}
    ):
        for name, canvas in drawn.items():
            canvas.savefig(
                folder / f"{name}.svg", metadata={"Date": None, "Creator": None}
            )
            canvas.savefig(
                folder / f"{name}.png", dpi=100, metadata={"Software": None}
            )


def by_radius(cells):
    """Differences to SAM at each radius: a line a cell, a column a method."""
    canvas = figure.Figure(
        figsize=(7.2, 2.0 * len(cells) + 0.9), layout="constrained"
    )
    panels = canvas.subplots(
        len(cells), len(SEVERAL), sharey="row", sharex="row", squeeze=False
    )
    for cell, line in zip(cells, panels, strict=True):
        for method, axes in zip(SEVERAL, line, strict=True):
            for n in _steps([cell]):
                _curve(axes, cell, method, n)
            axes.axhline(0, color="#000000", linewidth=0.8)
            axes.set_xscale("log")
            axes.set_xticks(cell.rhos, [f"{rho:g}" for rho in cell.rhos])
            axes.xaxis.set_minor_locator(ticker.NullLocator())
            axes.tick_params(labelsize=7)
            axes.set_title(f"{cell.title}\n{method} - SAM", fontsize=7)
        line[0].set_ylabel("points", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("rho", fontsize=8)
    legend(
        canvas, panels[0][0], "Test accuracy, mean and 95 % interval of pairs"
    )
    return canvas


def _curve(axes, cell, method, n):
    """Draws the differences of a method with n steps to SAM."""
    pair = (method, n), ("sam", 1)
    found = [analysis.difference(cell, pair, rho) for rho in cell.rhos]
    means = np.array([interval.mean for interval in found])
    # A little apart, so that no bar hides another.
    place = _steps([cell]).index(n) - (len(_steps([cell])) - 1) / 2
    colour, marker = _OF_STEPS[n]
    axes.errorbar(
        np.array(cell.rhos) * 1.06**place,
        means,
        means - [interval.low for interval in found],
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1,
        capsize=2,
        label=f"n = {n}",
    )


def forest(cells):
    """Every comparison at the chosen radius, with its interval.

    SAM - SGD has a panel of its own: it is ten times the others.
    """
    lines = -(-len(cells) // 2)
    pairs = analysis.comparisons(cells[0])
    canvas = figure.Figure(
        figsize=(7.2, lines * (0.2 * len(pairs) + 1.6) + 0.3),
        layout="constrained",
    )
    panels = canvas.subplots(
        2 * lines, 2, squeeze=False, height_ratios=[1, len(pairs)] * lines
    )
    # The two panels of each cell, and of the place that an odd number leaves.
    places = panels.reshape(lines, 2, 2).swapaxes(1, 2).reshape(-1, 2)
    for axes in places[len(cells) :].ravel():
        axes.remove()
    for cell, (first, second) in zip(cells, places, strict=False):
        first.set_title(cell.title, fontsize=8)
        _forest(first, cell, pairs[:1])
        _forest(second, cell, pairs[1:])
        second.set_xlabel("difference of test accuracy, points", fontsize=8)
    canvas.suptitle("Chosen radius, paired by seed, 95 % interval", fontsize=9)
    return canvas


def _forest(axes, cell, pairs):
    """Draws comparisons from the top, a gap before each new kind."""
    heights, height = [], 0.0
    for pair, before in zip(pairs, [pairs[0], *pairs], strict=False):
        height -= 1.0 if _kind(pair) == _kind(before) else 1.6
        heights.append(height)
    for place, pair in zip(heights, pairs, strict=True):
        found = analysis.difference(cell, pair, analysis.CHOSEN)
        colour, marker = _OF_STEPS[pair[0][1]]
        axes.errorbar(
            found.mean,
            place,
            xerr=found.high - found.mean,
            color=colour,
            marker=marker,
            markersize=4,
            capsize=2,
        )
    axes.axvline(0, color="#000000", linewidth=0.8)
    axes.set_yticks(heights, map(analysis.pair_name, pairs), fontsize=7)
    axes.set_ylim(heights[-1] - 0.8, heights[0] + 0.8)
    axes.tick_params(axis="x", labelsize=7)


def _kind(pair):
    (first, _), (second, _) = pair
    return first, second


def _steps(cells):
    """Returns the numbers of steps above 1."""
    return sorted({n for cell in cells for _, n in cell.scores if n > 1})


def legend(canvas, axes, title, columns=None, size=8):
    """Puts a legend above all panels, of what one of them shows."""
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=columns or len(labels),
        title=title,
        fontsize=size,
        title_fontsize=8,
    )
