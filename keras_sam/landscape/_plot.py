"""Draws results with matplotlib, which is imported only here."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from keras_sam.landscape._ascent_plane import AscentPlane
from keras_sam.landscape._average_sharpness import AverageSharpness
from keras_sam.landscape._climbs import Climbs
from keras_sam.landscape._density import SpectralDensity
from keras_sam.landscape._eigenvalues import Eigenvalues
from keras_sam.landscape._lines_and_planes import Line
from keras_sam.landscape._lines_and_planes import Plane
from keras_sam.landscape._path import Path
from keras_sam.landscape._results import Result
from keras_sam.landscape._sharpness import Sharpness
from keras_sam.landscape._trace import Trace

if TYPE_CHECKING:
    from matplotlib import figure


def plot(
    results: Any, *, axes: Any = None, width: float = 6.5
) -> "figure.Figure":
    """Draws results of one kind, all on one scale.

        landscape.plot({"SGD": first, "SAM": second}).savefig("figure.png")

    Losses are drawn minus the loss at w, if the result has the loss at w. Error
    bars are standard errors, or residuals of eigenvalues. `plot` shows no
    window; notebooks show the figure after `%matplotlib inline`.

    Args:
        results: A result of this module; or a dict {name: result}, or a list of
            results of one kind. A list numbers its results from 1.
        axes: Axes of matplotlib to draw in, or a list of them: three for `Path`
            (loss, norm and cosine) and `Climbs` (rise, cosine and share of the
            prediction), one for each result for `Plane` and
            `AscentPlane`, and one for all others. None for a new figure.
        width: Float, the width of a new figure in inches.

    Returns:
        The `matplotlib.figure.Figure`, whose `axes` are the panels.

    Raises:
        ImportError: If there is no matplotlib.
        TypeError: If these are no results, or results of several kinds.
        ValueError: If there are no results, or another number of axes than
            panels.
    """
    named = _named(results)
    try:
        import matplotlib

        from keras_sam.landscape._plots import style
    except ImportError as error:
        raise ImportError(
            "`plot` needs matplotlib. Install it by: "
            f"pip install matplotlib. Received: {error}"
        ) from error
    if axes is not None and not isinstance(axes, Sequence):
        axes = list(getattr(axes, "flat", [axes]))  # Perhaps an array.
    draw, number, height = _drawing(named, width)
    with matplotlib.rc_context(style.SETTINGS):
        panels = style.panels(number, (width, height), axes)
        draw(named, panels)
    return panels.figure


def _drawing(
    named: Mapping[str, Any], width: float
) -> tuple[Callable, int, float]:
    """Returns what draws results, in how many panels, and at which height."""
    from keras_sam.landscape._plots import bars
    from keras_sam.landscape._plots import climbs
    from keras_sam.landscape._plots import lines
    from keras_sam.landscape._plots import planes

    kind = type(next(iter(named.values())))
    if issubclass(kind, Plane):
        draw = planes.ascent_plane if kind is AscentPlane else planes.plane
        return draw, len(named), planes.height(named, width)
    drawings: dict[type, tuple[Callable, int, float]] = {
        Sharpness: (bars.sharpness, 1, 3.2),
        AverageSharpness: (bars.average, 1, 3.2),
        Trace: (bars.trace, 1, 3.0),
        Path: (lines.path, 3, 2.9),
        Climbs: (climbs.climbs, 3, 2.9),
        Line: (lines.line, 1, 3.4),
        Eigenvalues: (lines.eigenvalues, 1, 3.2),
        SpectralDensity: (lines.density, 1, 3.6),
    }
    return drawings[kind]


def _named(results: Any) -> dict[str, Any]:
    """Returns {name: result}. A single result has an empty name."""
    if isinstance(results, Mapping):
        named = {str(name): result for name, result in results.items()}
    elif isinstance(results, (list, tuple)):
        named = {str(i): result for i, result in enumerate(results, 1)}
    else:
        named = {"": results}
    if not named:
        raise ValueError("There must be a result to draw. Received none")
    kinds = {type(result) for result in named.values()}
    if len(kinds) > 1 or not issubclass(next(iter(kinds)), Result):
        raise TypeError(
            "`results` must be results of one kind, such as `Sharpness`. "
            f"Received: {sorted(kind.__name__ for kind in kinds)}"
        )
    return {
        name if result.complete else f"{name} (not complete)".strip(): result
        for name, result in named.items()
    }
