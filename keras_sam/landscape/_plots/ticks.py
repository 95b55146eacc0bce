"""Ticks whose labels are plain numbers, and do not print over each other."""

from collections.abc import Sequence

import numpy as np
from matplotlib import axis as matplotlib_axis
from matplotlib import ticker

# Round numbers of a decade, the closest first.
SPACINGS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))


def of_decades(low: float, high: float, mantissas: Sequence) -> np.ndarray:
    """Returns these numbers of each decade that are from low to high.

    Args:
        low: Float, above 0.
        high: Float, at least `low`.
        mantissas: List of floats from 1 to 10, in their order.

    Returns:
        Array of floats, in their order; it may be empty.
    """
    first, last = np.floor(np.log10([low, high]))
    decades = 10.0 ** np.arange(first, last + 1)
    numbers = np.outer(decades, mantissas).ravel()
    # 10^-1 times 3 is not quite 0.3.
    inside = (numbers >= low * (1 - 1e-9)) & (numbers <= high * (1 + 1e-9))
    return np.asarray(numbers[inside])


def plain(axis: matplotlib_axis.Axis) -> None:
    """Writes numbers as 0.2 and 1e-05, and only beside major ticks."""
    axis.set_major_formatter(ticker.FuncFormatter(lambda v, _: f"{v:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def logarithmic(axis: matplotlib_axis.Axis) -> None:
    """Puts as many round numbers on a log axis as there is room for."""
    axis.set_major_locator(_Decades())
    plain(axis)


class _Decades(ticker.LogLocator):
    """Ticks at 1, 2, 5 or at 1, 3 or at 1 of each decade, or of some.

    Within less than a decade they may be at equal distances instead.
    """

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        # Matplotlib's estimate leaves a gap behind each label, the last too.
        room = 1 + self.axis.get_tick_space()  # type: ignore[union-attr]
        for mantissas in SPACINGS:
            found = of_decades(vmin, vmax, mantissas)
            if len(found) <= room:
                break
        if len(found) > 1:
            return list(found[:: 1 + (len(found) - 1) // room])
        even = ticker.MaxNLocator(max(1, room - 1), steps=[1, 2, 5, 10])
        return list(even.tick_values(vmin, vmax))
