"""Descents that also evaluate gradients at points off the climb."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class CurvatureRegularized(Descent):
    """`g_n + gamma (g_n + g_- - 2 g_0) + beta (g_n - g_-)`.

    `g_-` is the gradient at `2 w - z_n`, the mirror image of the end of the
    climb, and costs one more evaluation. Like every pass but the clean one, the
    pass there does not change batch statistics. In the authors' code it does.

    Args:
        gamma: Float, weight of the second difference.
        beta: Float, weight of the first difference.

    Reference: CR-SAM, arXiv:2312.13555; the rule as in the authors' code, the
    defaults as on the command line of that code.
    """

    gamma: float = 0.1
    beta: float = 0.01

    def __post_init__(self) -> None:
        _validation.number("gamma", self.gamma)
        _validation.number("beta", self.beta)

    def finish(self, clean: Any, last: Any, *, context: Context) -> list:
        below = context.gradient(_mirror(clean, last))
        return [
            g + self.gamma * (g + b - 2 * c) + self.beta * (g - b)
            for g, b, c in zip(last.grads, below, clean.grads, strict=True)
        ]


@exported
@dataclasses.dataclass(frozen=True)
class Mirrored(Descent):
    """`(g_n + g_-) / 2`, the mean over both sides of z_0.

    `g_-` is the gradient at `2 z_0 - z_n`, the mirror image of the end of the
    climb, on the whole batch, and costs one more evaluation. With noise for a
    direction the mean estimates the gradient of the expected loss: the part of
    its variance that is of first order in the noise cancels.

    Args:
        climbs: Int, at least 1: k. The result is the mean over k climbs, each
            with its own mirror image. A direction without random draws makes
            them all alike.

    Reference: noise stability optimization (NSO), arXiv:2306.08553, with
    `directions.Random(scaled=False)`; as in the authors' code, which also
    evaluates the gradient at w, and weighs it with 0.
    """

    climbs: int = 1

    def __post_init__(self) -> None:
        _validation.integer("climbs", self.climbs, 1)

    def finish(self, clean: Any, last: Any, *, context: Context) -> list:
        total = _both_sides(clean, last, context)
        for _ in range(self.climbs - 1):
            end = parts.last(clean, context.climb())
            total = vectors.add(total, _both_sides(clean, end, context))
        return vectors.scale(0.5 / self.climbs, total)


@exported
@dataclasses.dataclass(frozen=True)
class FirstOrderFlatness(Descent):
    """Also shrinks the largest gradient norm nearby; four evaluations.

        q - gamma (p - <p, q> q / ||q||^2)

    with `p = g_0 + b_2 g_2` and `q = b_1 g_1 + b_3 g_3`. `g_2` is the gradient
    at `z = w + rho h / ||h||` with `h = g_1 - g_0`. `g_3` is the gradient at
    `z + r g_2 / ||g_2||` with `r` the radius of the climb.

    Args:
        rho: Float, above 0, the radius within which norms count.
        gamma: Float, at least 0.
        betas: Tuple of three floats, b_1, b_2, b_3.

    Reference: GAM, arXiv:2303.03108, in the form of the authors' code, with the
    settings of that code for CIFAR-100.
    """

    rho: float = 0.2
    gamma: float = 0.03
    betas: tuple = (0.6, 0.5, 0.4)

    def __post_init__(self) -> None:
        _validation.positive("rho", self.rho)
        _validation.number("gamma", self.gamma, 0.0)
        betas = _validation.several("betas", self.betas)
        if len(betas) != 3:
            raise ValueError(
                "`betas` must be three numbers, b_1, b_2 and b_3. "
                f"Received: {self.betas!r}"
            )
        object.__setattr__(self, "betas", betas)

    def check(self, arguments: Mapping[str, Any]) -> None:
        if arguments["perturb"] is not None:
            raise ValueError(
                "`perturb` must be None with the descent FirstOrderFlatness, "
                "which perturbs all variables. "
                f"Received: {arguments['perturb']!r}"
            )

    def finish(self, clean: Any, last: Any, *, context: Context) -> list:
        radius = vectors.norm(vectors.subtract(last.params, clean.params))
        change = vectors.subtract(last.grads, clean.grads)
        z = _moved(clean.params, self.rho, change)
        second = context.gradient(z)
        third = context.gradient(_moved(z, radius, second))
        b_1, b_2, b_3 = self.betas
        p = vectors.add(clean.grads, vectors.scale(b_2, second))
        q = vectors.add(
            vectors.scale(b_1, last.grads), vectors.scale(b_3, third)
        )
        return vectors.subtract(
            q, vectors.scale(self.gamma, vectors.orthogonal(p, q))
        )


def _both_sides(clean: Any, last: Any, context: Context) -> list:
    """Returns the gradient at the end of a climb plus that at its mirror."""
    return vectors.add(last.grads, context.gradient(_mirror(clean, last)))


def _mirror(clean: Any, point: Any) -> list:
    """Returns the mirror image of a point, at z_0."""
    twice = vectors.scale(2.0, clean.params)
    return vectors.subtract(twice, point.params)


def _moved(params: list, length: Any, way: list) -> list:
    """Returns the point at a distance from `params` along `way`."""
    return vectors.add(params, vectors.scale(length, vectors.unit(way)))
