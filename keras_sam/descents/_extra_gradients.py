"""Descents that also look at points off the climb."""

import dataclasses

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class CurvatureRegularized(Descent):
    """`g_n + gamma (g_n + g_- - 2 g_0) + beta (g_n - g_-)`.

    `g_-` is the gradient at `2 w - z_n`, the mirror image of the end of the
    climb: one more evaluation. The pass there, as every other, leaves batch
    statistics alone; the authors' code does not.

    Args:
        gamma: Float, weight of the second difference.
        beta: Float, weight of the first difference.

    Reference: CR-SAM, arXiv:2312.13555; the rule as in the authors' code, the
    defaults as on its command line.
    """

    gamma: float = 0.1
    beta: float = 0.01

    def __post_init__(self):
        _validation.number("gamma", self.gamma)
        _validation.number("beta", self.beta)

    def __call__(self, clean, path, *, context):
        last = parts.last(clean, path)
        mirror = vectors.subtract(vectors.scale(2.0, clean.params), last.params)
        below = context.gradient(mirror)
        return [
            g + self.gamma * (g + b - 2 * c) + self.beta * (g - b)
            for g, b, c in zip(last.grads, below, clean.grads, strict=True)
        ]


@exported
@dataclasses.dataclass(frozen=True)
class FirstOrderFlatness(Descent):
    """Also shrinks the largest gradient norm nearby; four evaluations.

    With `r` the radius of the climb, `h = g_1 - g_0`, `z = w + rho h / ||h||`,
    `g_2` at z and `g_3` at `z + r g_2 / ||g_2||`, and with `p = g_0 + b_2 g_2`
    and `q = b_1 g_1 + b_3 g_3`:

        q - gamma (p - <p, q> q / ||q||^2)

    Args:
        rho: Float, above 0, the radius within which norms count.
        gamma: Float, at least 0.
        betas: Tuple of three floats, b_1, b_2, b_3.

    Reference: GAM, arXiv:2303.03108, in the form of the authors' code, with its
    settings for CIFAR-100.
    """

    rho: float = 0.2
    gamma: float = 0.03
    betas: tuple = (0.6, 0.5, 0.4)

    def __post_init__(self):
        _validation.positive("rho", self.rho)
        _validation.number("gamma", self.gamma, 0.0)
        betas = _validation.several("betas", self.betas)
        if len(betas) != 3:
            raise ValueError(
                f"`betas` must be three numbers. Received: {self.betas!r}"
            )
        object.__setattr__(self, "betas", betas)

    def check(self, arguments):
        if arguments["perturb"] is not None:
            raise ValueError(
                "FirstOrderFlatness perturbs all variables: `perturb` must be "
                f"None. Received: {arguments['perturb']!r}"
            )

    def __call__(self, clean, path, *, context):
        first = parts.last(clean, path)
        radius = vectors.norm(vectors.subtract(first.params, clean.params))
        change = vectors.subtract(first.grads, clean.grads)
        z = _moved(clean.params, self.rho, change)
        second = context.gradient(z)
        third = context.gradient(_moved(z, radius, second))
        b_1, b_2, b_3 = self.betas
        p = vectors.add(clean.grads, vectors.scale(b_2, second))
        q = vectors.add(
            vectors.scale(b_1, first.grads), vectors.scale(b_3, third)
        )
        return vectors.subtract(
            q, vectors.scale(self.gamma, vectors.orthogonal(p, q))
        )


def _moved(params, length, way):
    return vectors.add(params, vectors.scale(length, vectors.unit(way)))
