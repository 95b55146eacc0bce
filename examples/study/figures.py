"""The figures of `examples.study`: the same file for the same rows."""

import matplotlib
import numpy as np
from matplotlib import figure
from matplotlib import ticker

from examples import paired
from examples.study import analysis

# Okabe and Ito's colours; markers and dashes tell them apart in grey too.
STYLES = {
    "sgd": ("#000000", ":", "s"),
    "sam": ("#0072B2", "-", "o"),
    "last": ("#D55E00", "--", "v"),
    "mean": ("#009E73", "-.", "^"),
    "matched": ("#CC79A7", (0, (5, 1)), "D"),
}
_ACCURACY = "test accuracy (%)"
# Equal costs would hide each other.
_APART = {"last": 0.98, "matched": 1.02}


def draw(rows, folder):
    """Writes every figure, as PNG and as SVG."""
    cells = analysis.cells(rows)
    drawn = {
        "radius": by_radius(cells),
        "cost": by_cost(cells),
        "differences": forest(cells),
    }
    save(drawn, folder)


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
    """Accuracy against rho: a row a cell, a column a number of steps."""
    steps = sorted({n for cell in cells for _, n in cell.scores if n > 1})
    canvas = figure.Figure(
        figsize=(3 * len(steps) + 1, 2.4 * len(cells) + 0.8),
        layout="constrained",
    )
    panels = canvas.subplots(
        len(cells), len(steps), sharey="row", sharex="row", squeeze=False
    )
    for cell, line in zip(cells, panels, strict=True):
        for n, axes in zip(steps, line, strict=True):
            _sgd(axes, cell)
            for arm in cell.scores:
                if arm[0] != "sgd" and arm[1] in (1, n):
                    _curve(axes, cell, arm)
            axes.set_xscale("log")
            axes.set_xticks(cell.rhos, [f"{rho:g}" for rho in cell.rhos])
            axes.xaxis.set_minor_locator(ticker.NullLocator())
            axes.set_title(f"{cell.title}\nn = {n}", fontsize=8)
        line[0].set_ylabel(_ACCURACY)
    for axes in panels[-1]:
        axes.set_xlabel("radius rho")
    _legend(canvas, panels[0][0], "mean and 95 % interval over seeds")
    return canvas


def by_cost(cells):
    """Accuracy at the chosen radius against gradient evaluations."""
    canvas, panels = _panels(cells, 3.2)
    for cell, axes in zip(cells, panels, strict=True):
        for method, (colour, dashes, marker) in STYLES.items():
            arms = [arm for arm in cell.scores if arm[0] == method]
            found = [paired.interval(cell.chosen[arm][0]) for arm in arms]
            mean = np.array([i.mean for i in found])
            axes.errorbar(
                [cell.costs[arm] * _APART.get(method, 1) for arm in arms],
                mean,
                mean - [i.low for i in found],
                color=colour,
                linestyle=dashes,
                marker=marker,
                markersize=5,
                capsize=2,
                label=method,
            )
        axes.set_title(cell.title, fontsize=8)
        axes.set_xlabel("gradient evaluations of a run, set slightly apart")
        axes.set_ylabel(_ACCURACY)
    _legend(canvas, panels[0], "chosen radius, mean and 95 % interval")
    return canvas


def forest(cells):
    """Every comparison at the chosen radius, with its interval."""
    canvas, panels = _panels(cells, 3.8)
    for cell, axes in zip(cells, panels, strict=True):
        pairs = analysis.comparisons(cell)
        for height, pair in enumerate(reversed(pairs)):
            d = analysis.difference(cell, pair, analysis.CHOSEN)
            colour, _, marker = STYLES[pair[0][0]]
            axes.errorbar(
                d.mean,
                height,
                xerr=d.high - d.mean,
                color=colour,
                marker=marker,
                markersize=5,
                capsize=2,
            )
        axes.axvline(0, color="#000000", linewidth=0.8)
        names = [analysis.pair_name(pair) for pair in reversed(pairs)]
        axes.set_yticks(range(len(pairs)), names, fontsize=7)
        axes.set_title(cell.title, fontsize=8)
        axes.set_xlabel("difference of test accuracy (points)")
    canvas.suptitle("Chosen radius, paired by seed, 95 % interval", fontsize=9)
    return canvas


def _panels(cells, height):
    """Returns a figure with two panels a line, and as many as there are."""
    lines = -(-len(cells) // 2)
    canvas = figure.Figure(
        figsize=(9, height * lines + 0.5), layout="constrained"
    )
    panels = canvas.subplots(lines, 2, squeeze=False).ravel()
    for axes in panels[len(cells) :]:
        axes.remove()
    return canvas, panels[: len(cells)]


def _sgd(axes, cell):
    found = paired.interval(cell.at(("sgd", 0), 0.0))
    colour, dashes, _ = STYLES["sgd"]
    axes.axhline(found.mean, color=colour, linestyle=dashes, label="sgd")
    axes.axhspan(found.low, found.high, color=colour, alpha=0.08, linewidth=0)


def _curve(axes, cell, arm):
    found = [paired.interval(cell.at(arm, rho)) for rho in cell.rhos]
    colour, dashes, marker = STYLES[arm[0]]
    axes.plot(
        cell.rhos,
        [i.mean for i in found],
        color=colour,
        linestyle=dashes,
        marker=marker,
        markersize=4,
        label=arm[0],
    )
    axes.fill_between(
        cell.rhos,
        [i.low for i in found],
        [i.high for i in found],
        color=colour,
        alpha=0.12,
        linewidth=0,
    )


def _legend(canvas, axes, title):
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=len(labels),
        title=title,
        fontsize=8,
        title_fontsize=8,
    )
