"""Directions whose steps depend on the length of the gradient."""

import dataclasses
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class Matching(Direction):
    """`(1 / ||g|| - ratio) g`: a step of SAM, less a step of descent.

    The descent from the end of the climb then also turns g and the gradient
    there towards each other. A step points down where `||g|| > 1 / ratio`.

    Args:
        ratio: Float, at least 0, alpha / rho in terms of the paper. 0 is
            `Normalized`.

    Raises:
        TypeError: If `ratio` is not a number.
        ValueError: If `ratio` is negative or not finite.

    Reference: SAGM, arXiv:2303.10353, as in the authors' code
    (Wang-pengfei/SAGM, `domainbed/sagm/sagm.py`), which descends with the mean
    of the gradients at both ends: `descents.Penalized(0.5)`. The section of the
    paper with the rule was not read.
    """

    ratio: float = 0.02
    takes_slices = True

    def __post_init__(self) -> None:
        _validation.number("ratio", self.ratio, 0.0)

    def factor(self, grads: list) -> Any:
        return vectors.reciprocal(vectors.norm(grads)) - self.ratio

    def __call__(self, grads: list, params: list) -> list:
        del params
        return vectors.scale(self.factor(grads), grads)


@exported
@dataclasses.dataclass(frozen=True)
class LossEquated(Direction):
    """`min(1 / ||g||, rho_max / rho) g / ||g||`: rho is a rise of the loss.

    The loss rises by rho along the climb, to first order, wherever the radius
    `rho / ||g||` is below `rho_max`. So the wrapper's `rho` is in units of the
    loss; it is the paper's sigma. In a climb of n steps with
    `radius="split"`, each step aims at a rise by rho / n, and is at most
    rho_max / n long.

    Args:
        rho_max: Float, above 0, the largest radius.

    Raises:
        TypeError: If `rho_max` is not a number.
        ValueError: If `rho_max` is not above 0, or not finite.

    Reference: LE-SAM, arXiv:2605.10183, as in `lesam.py` of the authors, with
    the default of its training script. (In that script sigma falls to 0 along a
    cosine, from epoch 160 of 200 on: pass a schedule as the wrapper's `rho`.)
    """

    rho_max: float = 0.5
    takes_slices = True
    loops = True

    def __post_init__(self) -> None:
        _validation.positive("rho_max", self.rho_max)

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del params
        equated = vectors.reciprocal(vectors.norm(grads))
        # Not `ops.cast`, which rounds a Python number to float32 first.
        rho = ops.convert_to_tensor(context.rho, equated.dtype)
        largest = self.rho_max * vectors.reciprocal(rho)
        return vectors.scale(ops.minimum(equated, largest), vectors.unit(grads))
