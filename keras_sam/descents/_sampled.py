"""Descents that weigh the ends of several climbs."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class Tilted(Descent):
    """The mean gradient of k climbs, with weights `exp(tilt L_j) / sum`.

    `L_j` is the loss at the end of climb j, and the gradient is the one there.
    So a climb counts more if it has come higher. The mean is the gradient of
    `log(mean exp(tilt L_j)) / tilt`, if the climbs are held. A direction
    without random draws makes all climbs alike.

    Args:
        tilt: Float, at least 0. 0 is the plain mean. The larger it is, the
            more the highest end counts.
        climbs: Int, at least 1: k. 1 is `Last`.

    Reference: tilted SAM (TSAM), arXiv:2410.22656, as in the authors' code
    (litian96/TSAM, `tsam.py` and `image/train_tsam.py` with the sampling
    "random1"), with `directions.NoiseFirst`. The paper derives its sampling
    from Hamiltonian dynamics, which that code does not have.
    """

    tilt: float = 1.0
    climbs: int = 3

    def __post_init__(self) -> None:
        _validation.number("tilt", self.tilt, 0.0)
        _validation.integer("climbs", self.climbs, 1)

    def finish(self, clean: Any, last: Any, *, context: Context) -> list:
        # Heights are relative to the highest so far: `exp` cannot overflow.
        highest, mass, total = self._height(last), 1.0, last.grads
        for _ in range(self.climbs - 1):
            point = parts.last(clean, context.climb())
            height = self._height(point)
            highest, before = ops.maximum(highest, height), highest
            old, new = ops.exp(before - highest), ops.exp(height - highest)
            mass = old * mass + new
            total = vectors.add(
                vectors.scale(old, total), vectors.scale(new, point.grads)
            )
        return vectors.scale(1.0 / mass, total)

    def _height(self, point: Any) -> Any:
        if tuple(point.loss.shape):
            raise ValueError(
                "`Tilted` compares the losses of climbs, so it needs the loss "
                "of a batch as one number, but the loss in `compile` returns "
                'one for each example. Use `reduction="sum_over_batch_size"`. '
                f"Received a loss of shape {tuple(point.loss.shape)}"
            )
        return self.tilt * vectors.wide(point.loss)
