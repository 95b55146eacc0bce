"""Steps along the entries of the gradient that stand out."""

import dataclasses
import math
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class ZScored(Direction):
    """`f_l / ||f_l||` for each kernel l, f_l the outlying entries of g_l.

    An entry stays in f_l if its z-score `|g - m| / s` is above the quantile of
    the z-scores in its variable, with m and s the mean and the standard
    deviation there. The other entries of f_l are 0. Each kernel makes a step of
    length one, so steps are longer than one. Variables with fewer than two
    axes, such as biases, move as with `Normalized`: by `g_l / ||g||`. So does a
    kernel without outlying entries.

    Args:
        quantile: Float in [0, 1). 0.95 keeps one entry in twenty.

    Raises:
        TypeError: If `quantile` is not a number.
        ValueError: If `quantile` is not in [0, 1).

    Reference: ZSharp, arXiv:2505.02369, as in the authors' code
    (YUNBLAK/Sharpness-Aware-Minimization-with-Z-Score-Gradient-Filtering,
    `main.py`), with the default there. (By a secondary source the paper has one
    norm, over all f_l together.)
    """

    quantile: float = 0.95

    def __post_init__(self) -> None:
        _validation.fraction("quantile", self.quantile)

    def __call__(self, grads: list, params: list) -> list:
        del params
        return [
            self._outlying(g, u) if len(g.shape) > 1 else u
            for g, u in zip(grads, vectors.unit(grads), strict=True)
        ]

    def _outlying(self, g: Any, otherwise: Any) -> Any:
        """Returns `f / ||f||` for a kernel, or another step if f is 0."""
        # The standard deviation is left out: it scales both sides alike.
        away = ops.abs(vectors.wide(g) - ops.mean(vectors.wide(g)))
        kept = [ops.where(away > self._threshold(away), g, 0)]
        return ops.where(
            vectors.norm(kept) > 0, vectors.unit(kept)[0], otherwise
        )

    def _threshold(self, values: Any) -> Any:
        """Returns the quantile, interpolated between the nearest values."""
        last = math.prod(values.shape) - 1
        below = int(self.quantile * last)
        share = self.quantile * last - below
        # The largest values only: sorting all of them takes three times longer.
        count = last - below + 1
        top, _ = ops.top_k(ops.reshape(values, [-1]), count)
        return top[-1] + share * (top[max(count - 2, 0)] - top[-1])
