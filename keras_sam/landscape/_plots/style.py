"""What all figures share: colours, dashes, panels and legends."""

import itertools
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
from matplotlib import axes as matplotlib_axes
from matplotlib import figure

from keras_sam.landscape import _results

SETTINGS: Any = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": "small",
}
RISE = "loss minus the loss at w"


class Style(NamedTuple):
    """How one result looks. Dashes and markers tell results apart in grey."""

    colour: str
    dashes: Any
    marker: str
    hatch: str


# Okabe and Ito's colours.
_STYLES = (
    Style("#0072B2", "-", "o", ""),
    Style("#D55E00", "--", "s", "//"),
    Style("#009E73", "-.", "^", ".."),
    Style("#CC79A7", (0, (5, 1)), "D", "xx"),
    Style("#E69F00", ":", "v", "--"),
    Style("#000000", (0, (3, 1, 1, 1)), "P", "++"),
)


class Panels(NamedTuple):
    """The axes to draw in.

    Attributes:
        axes: List of matplotlib axes.
        figure: The matplotlib figure.
        own: Bool, whether the figure was made for this drawing.
    """

    axes: list[matplotlib_axes.Axes]
    figure: figure.Figure
    own: bool

    def legend(self, count: int) -> None:
        """Adds a legend above the panels, or in the first axes of the user.

        Args:
            count: Int, the number of columns above the panels.
        """
        handles, labels = self.axes[0].get_legend_handles_labels()
        if not labels or not any(labels):
            return
        if self.own:
            self.figure.legend(
                handles, labels, loc="outside upper center", ncols=count
            )
        else:
            # Inside: above them may be a title.
            self.axes[0].legend(handles, labels, frameon=True, framealpha=0.8)


def panels(
    number: int,
    size: tuple[float, float],
    axes: Sequence[matplotlib_axes.Axes] | None,
) -> Panels:
    """Returns new panels in a row, or those of the user.

    Args:
        number: Int, how many panels.
        size: Width and height of a new figure, in inches.
        axes: List of the user's axes, or None.

    Raises:
        ValueError: If the user gives another number of axes.
    """
    if axes is None:
        canvas = figure.Figure(figsize=size, layout="constrained")
        row = canvas.subplots(1, number, squeeze=False)[0]
        return Panels(list(row), canvas, True)
    if len(axes) != number:
        raise ValueError(
            f"`axes` must be {number} axes of matplotlib, one for each panel. "
            f"Received: {len(axes)} of them"
        )
    canvas = axes[0].figure  # type: ignore[assignment]
    return Panels(list(axes), canvas, False)


def each(named: Mapping[str, Any]) -> Iterator[tuple[str, Any, Style]]:
    """Yields (name, result, style) of each result."""
    for (name, result), style in zip(
        named.items(), itertools.cycle(_STYLES), strict=False
    ):
        yield name, result, style


def shared(named: Mapping[str, Any], field: str) -> Any:
    """Returns the value of a field that all results share, or None."""
    values = {getattr(result, field) for result in named.values()}
    return values.pop() if len(values) == 1 else None


def label(name: str, *details: str) -> str:
    """Returns a name with details in brackets, which may have no name."""
    inside = ", ".join(filter(None, details))
    return f"{name} ({inside})" if name and inside else name or inside


def curve(look: Style) -> dict[str, Any]:
    """Returns the arguments of a curve with a marker at each point."""
    return {
        "color": look.colour,
        "linestyle": look.dashes,
        "marker": look.marker,
        "markersize": 4,
    }


def mean_and_band(
    axes: matplotlib_axes.Axes,
    x: np.ndarray,
    values: np.ndarray,
    sizes: np.ndarray,
    look: Style,
    text: str,
) -> None:
    """Draws the mean over batches, and a band of their standard deviation.

    Args:
        axes: Axes of matplotlib.
        x: Array, shape (points,).
        values: Array, shape (batches, points).
        sizes: Array of int, shape (batches,), the weights of the batches.
        look: `Style`.
        text: String, for the legend.
    """
    mean = _results.mean(values, sizes)
    spread = _results.deviation(values, sizes)
    axes.plot(x, mean, label=text, **curve(look))
    axes.fill_between(
        x,
        mean - spread,
        mean + spread,
        color=look.colour,
        alpha=0.15,
        linewidth=0,
    )
