"""The figures of `examples.study.along`: the same file for the same rows."""

import numpy as np
from matplotlib import figure

from examples import paired
from examples.study import along_rows
from examples.study import analysis
from examples.study import figures

# Quantities over the epochs.
SHOWN = {
    "gain": "5 steps rise more by, %",
    "ends": "cosine of the two last gradients",
    "eigenvalue": "largest eigenvalue",
}
# Part of the name of a column, dashes, and what a reader calls it.
_KINDS = (("one", "-", "one step"), ("several", ":", "5 steps"))


def draw(rows, folder):
    """Writes both figures, as PNG and as SVG."""
    figures.save({"climbs": climbs(rows), "epochs": epochs(rows)}, folder)


def climbs(rows):
    """The rise of the loss along both climbs: a line a place."""
    cells = along_rows.cells(rows)
    places = list(dict.fromkeys(where for where, *_ in cells))
    columns = len(along_rows.epochs(cells, places[0]))
    # One scale a line, to compare epochs.
    canvas, panels = _panels(places, columns, 2.1, sharey="row")
    for where, line in zip(places, panels, strict=True):
        numbers = along_rows.epochs(cells, where)
        for epoch, axes in zip(numbers, line, strict=True):
            for kind, dashes, name in _KINDS:
                for arm, heights in _rises(rows, where, epoch, kind).items():
                    axes.plot(
                        np.linspace(0, 1, len(heights)),
                        heights,
                        color=figures.STYLES[arm[0]][0],
                        linestyle=dashes,
                        linewidth=1.4,
                        label=f"{analysis.name(arm)}, {name}",
                    )
            axes.set_title(f"{where}, epoch {epoch}", fontsize=8)
        line[0].set_ylabel("loss - loss at w", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("part of the radius", fontsize=8)
    figures.legend(
        canvas,
        panels[0][0],
        "Networks trained by, climbed by; means",
        columns=4,
        size=7,
    )
    return canvas


def _rises(rows, where, epoch, kind):
    """Returns {arm: mean rises after 0, 1, ..., n parts}."""
    columns = [
        along_rows.series(rows, f"{kind}_{part}")[where]
        for part in range(1, along_rows.STEPS + 1)
    ]
    return {
        arm: [
            0.0,
            *(np.mean([*column[arm][epoch].values()]) for column in columns),
        ]
        for arm in columns[0]
    }


def epochs(rows):
    """Quantities over the epochs, with intervals: a line a place."""
    cells = along_rows.cells(rows)
    places = list(dict.fromkeys(where for where, *_ in cells))
    canvas, panels = _panels(places, len(SHOWN), 3.4)
    for where, line in zip(places, panels, strict=True):
        for (name, title), axes in zip(SHOWN.items(), line, strict=True):
            of_place = along_rows.series(rows, name)[where]
            for arm, of_arm in of_place.items():
                _curve(axes, arm, of_arm)
            axes.set_title(f"{where}: {title}", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("epoch", fontsize=8)
    figures.legend(
        canvas,
        panels[0][0],
        "Networks trained by; mean and 95 % interval",
        columns=4,
        size=7,
    )
    return canvas


def _curve(axes, arm, of_arm):
    """Draws {epoch: {seed: value}} of a method."""
    colour, dashes, marker = figures.STYLES[arm[0]]
    found = [paired.interval([*of_arm[epoch].values()]) for epoch in of_arm]
    mean = np.array([interval.mean for interval in found])
    axes.errorbar(
        list(of_arm),
        mean,
        mean - [interval.low for interval in found],
        color=colour,
        linestyle=dashes,
        marker=marker,
        markersize=4,
        capsize=2,
        label=analysis.name(arm),
    )


def _panels(places, columns, width, **shared):
    canvas = figure.Figure(
        figsize=(width * columns, 2.4 * len(places) + 0.7),
        layout="constrained",
    )
    panels = canvas.subplots(len(places), columns, squeeze=False, **shared)
    for axes in panels.ravel():
        axes.tick_params(labelsize=7)
    return canvas, panels
