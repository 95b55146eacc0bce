"""Descents that combine the gradients of the climb."""

import dataclasses
import functools

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class Last(Descent):
    """`g_n`, the gradient at the end of the climb.

    Reference: SAM, arXiv:2010.01412, equation 3, as in the authors' code; for
    several steps, the multi-step SAM that arXiv:2302.10181 studies.
    """

    takes_slices = True

    def __call__(self, clean, path):
        return parts.last(clean, path).grads


@exported
@dataclasses.dataclass(frozen=True)
class Mean(Descent):
    """`(g_1 + ... + g_n) / n`, the mean over the climb without its start.

    To first order this is the gradient at distance `rho (n + 1) / (2 n)`
    instead of `rho`; `radius="matched"` makes the two equal.

    Reference: arXiv:2302.10181, whose abstract announces a modification; the
    rule is inferred from weights in its first author's code, not confirmed.
    """

    takes_slices = True

    def __call__(self, clean, path):
        total, steps = None, 0
        for point in path:
            total = vectors.add(total, point.grads) if steps else point.grads
            steps += 1
        return vectors.scale(1 / steps, total)


@exported
@dataclasses.dataclass(frozen=True)
class Weighted(Descent):
    """`c_0 g_0 + c_1 g_1 + ... + c_n g_n`.

    Args:
        weights: Tuple of n + 1 floats, c_0 first; they need not add up to 1.

    Raises:
        TypeError: If a weight is not a number.
        ValueError: If there are fewer than two, or others than n + 1.
    """

    weights: tuple
    takes_slices = True

    def __post_init__(self):
        weights = _validation.several("weights", self.weights)
        if len(weights) < 2:
            raise ValueError(
                "`weights` must be those of g_0, ..., g_n, at least two. "
                f"Received: {self.weights!r}"
            )
        object.__setattr__(self, "weights", weights)

    def check(self, arguments):
        steps = arguments["ascent_steps"]
        if len(self.weights) != steps + 1:
            raise ValueError(
                f"`weights` must be ascent_steps + 1 = {steps + 1} numbers. "
                f"Received: {self!r}"
            )

    def __call__(self, clean, path):
        total = vectors.scale(self.weights[0], clean.grads)
        for weight, point in zip(self.weights[1:], path, strict=True):
            total = vectors.add(total, vectors.scale(weight, point.grads))
        return total


@exported
@dataclasses.dataclass(frozen=True)
class Accumulated(Descent):
    """`alpha (g_1 + ... + g_n)`: n inner steps, then part of the way.

    With `radius="full"` and an optimizer that has no momentum, adaptive step
    sizes or weight decay this is Lookbehind, whose n inner descents and slow
    weights then amount to it. With others it is not: Lookbehind lets the
    optimizer take n steps for one of ours.

    Args:
        alpha: Float, at least 0, the step of the slow weights.

    Reference: Lookbehind-SAM, arXiv:2307.16704, with SGD, as in the authors'
    code, which can adapt alpha, too.
    """

    alpha: float = 0.5
    takes_slices = True

    def __post_init__(self):
        _validation.number("alpha", self.alpha, 0.0)

    def __call__(self, clean, path):
        totals = (point.grads for point in path)
        return vectors.scale(self.alpha, functools.reduce(vectors.add, totals))


@exported
@dataclasses.dataclass(frozen=True)
class Penalized(Descent):
    """`(1 - alpha) g_0 + alpha g_n`.

    Gradient norm penalty with `alpha = lambda / rho`; coupled WSAM with
    `alpha = gamma / (1 - gamma)`, which may exceed 1; mixed random weight
    perturbation with `directions.Random`.

    Args:
        alpha: Float. 0 is plain training, 1 is `Last`.

    Reference: arXiv:2202.03599, as in the authors' code, which by default has
    `g_0 / ||g_0||` for `g_0`; WSAM, arXiv:2305.15817, as in the authors' code.
    """

    alpha: float = 0.8
    takes_slices = True

    def __post_init__(self):
        _validation.number("alpha", self.alpha)

    def __call__(self, clean, path):
        return vectors.add(
            vectors.scale(1 - self.alpha, clean.grads),
            vectors.scale(self.alpha, parts.last(clean, path).grads),
        )


@exported
@dataclasses.dataclass(frozen=True)
class Decoupled(Descent):
    """`g_0` for the optimizer; `w` moves by `-lr alpha (g_n - g_0)` besides.

    The second part is not seen by the optimizer: neither momentum nor adaptive
    step sizes nor clipping act on it. It is done just before the optimizer's
    step, so that constraints and averages of weights hold at the end of it;
    the authors do it just after, which differs by decoupled weight decay of
    it, of order lr^2. `alpha = gamma / (1 - gamma)`.

    Args:
        alpha: Float. 0 is plain training.

    Raises:
        ValueError: By the first train step, if the optimizer accumulates
            gradients or has not one learning rate.

    Reference: WSAM, arXiv:2305.15817, as in the authors' code, which has gamma
    0.88 and clips both gradients.
    """

    alpha: float = 9.0
    decoupled = True

    def __post_init__(self):
        _validation.number("alpha", self.alpha)

    def __call__(self, clean, path):
        sharpness = vectors.subtract(parts.last(clean, path).grads, clean.grads)
        return clean.grads, vectors.scale(self.alpha, sharpness)


@exported
@dataclasses.dataclass(frozen=True)
class SurrogateGap(Descent):
    """`g_n - alpha (g_0 - <g_0, u> u)` with `u = g_n / ||g_n||`.

    Descends along `g_n`, and ascends along what of `g_0` is orthogonal to it:
    the gap between the two losses shrinks, the perturbed loss is not touched.

    Args:
        alpha: Float, at least 0. 0 is `Last`.

    Reference: GSAM, arXiv:2203.08065, algorithm 1, as in the authors' code. Its
    radius follows the learning rate: `radii.LinearInLearningRate`.
    """

    alpha: float = 0.4

    def __post_init__(self):
        _validation.number("alpha", self.alpha, 0.0)

    def __call__(self, clean, path):
        perturbed = parts.last(clean, path).grads
        gap = vectors.orthogonal(clean.grads, perturbed)
        return vectors.subtract(perturbed, vectors.scale(self.alpha, gap))


@exported
@dataclasses.dataclass(frozen=True)
class Renormalized(Descent):
    """`||g_0|| g_n / ||g_n||`: the direction of SAM, the length of SGD.

    Reference: StableSAM, arXiv:2401.07250, as in the authors' code.
    """

    takes_slices = True

    def __call__(self, clean, path):
        length = vectors.norm(clean.grads)
        return vectors.scale(
            length, vectors.unit(parts.last(clean, path).grads)
        )
