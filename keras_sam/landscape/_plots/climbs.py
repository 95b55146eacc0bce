"""The figure of climbs of several radii."""

from collections.abc import Mapping

import numpy as np

from keras_sam.landscape import _results
from keras_sam.landscape._climbs import Climbs
from keras_sam.landscape._plots import style
from keras_sam.landscape._plots import ticks


def climbs(named: Mapping[str, Climbs], panels: style.Panels) -> None:
    """Draws rise, cosine and share of the prediction over the radius."""
    rise, cosine, share = panels.axes
    batches, positive = 0, True
    for name, result, look in style.each(named):
        batches = max(batches, len(result.sizes))
        loss = _results.mean(result.losses, result.sizes)
        text = style.label(name, f"{loss:.3g} at w")
        mean = result.mean()
        positive &= not np.any(mean["rise"] <= 0)
        for axes, values in (
            (rise, mean["rise"]),
            (share, mean["linear_share"]),
        ):
            axes.plot(result.rhos, values, label=text, **style.curve(look))
        style.mean_and_band(
            cosine, result.rhos, result.cosines, result.sizes, look, text
        )
    for axes in panels.axes:
        axes.set(xscale="log")
        ticks.logarithmic(axes.xaxis)
    rise.set(ylabel=style.RISE)
    if positive:
        rise.set(yscale="log")
        ticks.logarithmic(rise.yaxis)
    cosine.set(ylabel="cosine of both gradients")
    share.set(ylabel="rise / its linear prediction")
    share.axhline(1.0, color="grey", linewidth=0.6)
    band = "; band: ± standard deviation over batches" if batches > 1 else ""
    if panels.own:
        panels.figure.supxlabel(f"rho{band}", fontsize="medium")
    else:
        cosine.set(xlabel=f"rho{band}")
    panels.legend(len(named))
