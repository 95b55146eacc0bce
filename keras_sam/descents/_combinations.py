"""Descents that combine the gradients of the climb."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class Last(Descent):
    """`g_n`, the gradient at the end of the climb.

    Reference: SAM, arXiv:2010.01412, equation 3, as in the authors' code. With
    several steps it is the multi-step SAM that arXiv:2302.10181 studies.
    """

    takes_slices = True

    def finish(self, clean: Any, last: Any) -> list:
        del clean
        return last.grads


@exported
@dataclasses.dataclass(frozen=True)
class Mean(Descent):
    """`(g_1 + ... + g_n) / n`, the mean over the climb without its start.

    To first order it is the gradient at distance `rho (n + 1) / (2 n)` instead
    of `rho`. With `radius="matched"` that distance is `rho`.

    Reference: arXiv:2302.10181, whose abstract announces a modification. The
    rule is inferred from weights in its first author's code, not confirmed.
    """

    takes_slices = True

    def start(self, clean: Any) -> tuple[Any, list]:
        # Not an int: in a loop `1 / steps` would be rounded to float32.
        number = ops.zeros((), vectors.wide(clean.grads[0]).dtype)
        return number, vectors.zeros(clean.grads)

    def visit(self, kept: tuple[Any, list], point: Any) -> tuple[Any, list]:
        steps, total = kept
        return steps + 1, vectors.add(total, point.grads)

    def finish(self, clean: Any, kept: tuple[Any, list]) -> list:
        del clean
        steps, total = kept
        return vectors.scale(1 / steps, total)


@exported
@dataclasses.dataclass(frozen=True)
class Weighted(Descent):
    """`c_0 g_0 + c_1 g_1 + ... + c_n g_n`.

    Args:
        weights: Tuple of n + 1 floats, c_0 first. They need not add up to 1.

    Raises:
        TypeError: If a weight is not a number.
        ValueError: If there are fewer than two weights, or not n + 1.
    """

    weights: tuple
    takes_slices = True

    def __post_init__(self) -> None:
        weights = _validation.several("weights", self.weights)
        if len(weights) < 2:
            raise ValueError(
                "`weights` must be at least two numbers, the weights of g_0, "
                f"..., g_n. Received: {self.weights!r}"
            )
        object.__setattr__(self, "weights", weights)

    def check(self, arguments: Mapping[str, Any]) -> None:
        steps = arguments["ascent_steps"]
        if len(self.weights) != steps + 1:
            raise ValueError(
                f"`weights` must be `ascent_steps` + 1 = {steps + 1} numbers, "
                f"the weights of g_0, ..., g_{steps}. Received: {self!r}"
            )

    def start(self, clean: Any) -> tuple[Any, list]:
        # The weights of the points that are left, the next one first.
        dtype = vectors.wide(clean.grads[0]).dtype
        weights = ops.convert_to_tensor(self.weights, dtype)
        return weights, vectors.scale(self.weights[0], clean.grads)

    def visit(self, kept: tuple[Any, list], point: Any) -> tuple[Any, list]:
        weights, total = kept
        weights = ops.roll(weights, -1)
        more = vectors.scale(weights[0], point.grads)
        return weights, vectors.add(total, more)

    def finish(self, clean: Any, kept: tuple[Any, list]) -> list:
        del clean
        _, total = kept
        return total


@exported
@dataclasses.dataclass(frozen=True)
class Accumulated(Descent):
    """`alpha (g_1 + ... + g_n)`: n inner steps, then part of the way.

    Lookbehind takes n inner descents, then moves slow weights part of the way.
    With `radius="full"` and an optimizer that has no momentum, adaptive step
    sizes or weight decay, the sum above is the same. With another optimizer it
    is not: in Lookbehind the optimizer takes n steps, here it takes one.

    Args:
        alpha: Float, at least 0, the step of the slow weights.

    Reference: Lookbehind-SAM, arXiv:2307.16704, with SGD, as in the authors'
    code, which can also adapt alpha.
    """

    alpha: float = 0.5
    takes_slices = True

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha, 0.0)

    def start(self, clean: Any) -> list:
        return vectors.zeros(clean.grads)

    def visit(self, kept: list, point: Any) -> list:
        return vectors.add(kept, point.grads)

    def finish(self, clean: Any, kept: list) -> list:
        del clean
        return vectors.scale(self.alpha, kept)


@exported
@dataclasses.dataclass(frozen=True)
class Penalized(Descent):
    """`(1 - alpha) g_0 + alpha g_n`.

    This is the gradient norm penalty with `alpha = lambda / rho`, coupled WSAM
    with `alpha = gamma / (1 - gamma)`, which may exceed 1, and mixed random
    weight perturbation with `directions.Random`.

    Args:
        alpha: Float. 0 is plain training, 1 is `Last`.

    Reference: gradient norm penalty, arXiv:2202.03599, as in the authors' code,
    which by default has `g_0 / ||g_0||` in place of `g_0`; WSAM,
    arXiv:2305.15817, as in the authors' code.
    """

    alpha: float = 0.8
    takes_slices = True

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha)

    def finish(self, clean: Any, last: Any) -> list:
        return vectors.add(
            vectors.scale(1 - self.alpha, clean.grads),
            vectors.scale(self.alpha, last.grads),
        )


@exported
@dataclasses.dataclass(frozen=True)
class Decoupled(Descent):
    """`g_0` for the optimizer; `w` moves by `-lr alpha (g_n - g_0)` besides.

    The optimizer does not see the second move: neither momentum nor adaptive
    step sizes nor clipping act on it. The train step makes this move just
    before the optimizer's step, so that constraints and averages of weights
    hold at the end of the train step. The authors make it just after. The
    results differ by the decoupled weight decay of the move, of order lr^2.
    In terms of the paper, `alpha = gamma / (1 - gamma)`.

    Args:
        alpha: Float. 0 is plain training.

    Raises:
        ValueError: In the first train step, if the optimizer accumulates
            gradients or does not have exactly one learning rate.

    Reference: WSAM, arXiv:2305.15817, as in the authors' code, which has gamma
    0.9 (once 0.88) and can clip both gradients.
    """

    alpha: float = 9.0
    decoupled = True

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha)

    def finish(self, clean: Any, last: Any) -> tuple[list, list]:
        sharpness = vectors.subtract(last.grads, clean.grads)
        return clean.grads, vectors.scale(self.alpha, sharpness)


@exported
@dataclasses.dataclass(frozen=True)
class SurrogateGap(Descent):
    """`g_n - alpha (g_0 - <g_0, u> u)` with `u = g_n / ||g_n||`.

    Descends along `g_n`, and ascends along the part of `g_0` that is orthogonal
    to `g_n`. To first order the ascent shrinks the gap between the two losses
    and leaves the perturbed loss as it is.

    Args:
        alpha: Float, at least 0. 0 is `Last`.

    Reference: GSAM, arXiv:2203.08065, algorithm 1, as in the authors' code. The
    radius of GSAM follows the learning rate: `radii.LinearInLearningRate`.
    """

    alpha: float = 0.4

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha, 0.0)

    def finish(self, clean: Any, last: Any) -> list:
        gap = vectors.orthogonal(clean.grads, last.grads)
        return vectors.subtract(last.grads, vectors.scale(self.alpha, gap))


@exported
@dataclasses.dataclass(frozen=True)
class Renormalized(Descent):
    """`||g_0|| g_n / ||g_n||`: the direction of SAM, the length of SGD.

    Reference: StableSAM, arXiv:2401.07250, as in the authors' code.
    """

    takes_slices = True

    def finish(self, clean: Any, last: Any) -> list:
        length = vectors.norm(clean.grads)
        return vectors.scale(length, vectors.unit(last.grads))
