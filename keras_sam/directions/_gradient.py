"""Directions that depend only on the gradient and the weights at a point."""

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
class Normalized(Direction):
    """`g / ||g||`, the Euclidean norm over all perturbed variables.

    The step of a zero gradient is zero.

    Reference: SAM, arXiv:2010.01412, equation 2 (with p = 2), as in the
    authors' code.
    """

    takes_slices = True

    def factor(self, grads: list) -> Any:
        return vectors.reciprocal(vectors.norm(grads))

    def __call__(self, grads: list, params: list) -> list:
        del params
        return vectors.scale(self.factor(grads), grads)


@exported
@dataclasses.dataclass(frozen=True)
class Unnormalized(Direction):
    """`g`, the gradient itself: steps shrink where the loss is flat.

    Reference: USAM, arXiv:2206.06232, as in the authors' code.
    """

    takes_slices = True

    def __call__(self, grads: list, params: list) -> list:
        del params
        return grads


@exported
@dataclasses.dataclass(frozen=True)
class Unified(Direction):
    """`(1 - share + share / ||g||) g`, between `Unnormalized` and `Normalized`.

    Args:
        share: Float in [0, 1], or a schedule of the optimizer's iterations. 0
            is `Unnormalized`, 1 is `Normalized`.

    Reference: unified SAM, arXiv:2503.02225, as in the authors' code, which
    calls `share` lambda.
    """

    share: Any = 0.5
    takes_slices = True
    loops = True

    def __post_init__(self) -> None:
        _validation.scheduled("share", self.share, 0.0, 1.0)

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del params
        share = context.value(self.share)
        return vectors.add(
            vectors.scale(1 - share, grads),
            vectors.scale(share, vectors.unit(grads)),
        )


@exported
@dataclasses.dataclass(frozen=True)
class Adaptive(Direction):
    """`T^2 g / ||T g||` with `T = |w| + eta`, element by element.

    The length of a step is one in the metric `||T^-1 step||`, and usually far
    below one in the Euclidean norm. So radii are about ten times the radii for
    `Normalized`. `w` is the present point of the climb.

    Args:
        eta: Float, at least 0. It lets weights near zero move.
        scaled: The variables with this T, chosen as with `perturb`: None for
            all, a regular expression on variable paths, or a predicate of a
            Keras variable. All others have T = 1.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If `eta` is negative or not finite, or `scaled` is no valid
            regular expression. In the first train step, if `scaled` matches no
            trained variable.

    Reference: ASAM, arXiv:2102.11600, equation 3 (with p = 2), as in the
    authors' code (SamsungLabs/ASAM, `asam.py`), where parameters named "weight"
    have this T: `scaled="(kernel|gamma|embeddings)$"` in Keras.
    """

    eta: float = 0.01
    scaled: Any = None
    loops = True

    def __post_init__(self) -> None:
        _validation.number("eta", self.eta, 0.0)
        _validation.variables("scaled", self.scaled)

    def __call__(
        self, grads: list, params: list, *, context: Context | None = None
    ) -> list:
        metric = self.metric(params, context)
        scaled = vectors.unit(
            [t * g for t, g in zip(metric, grads, strict=True)]
        )
        return [t * g for t, g in zip(metric, scaled, strict=True)]

    def metric(self, params: list, context: Any) -> list:
        """Returns T, a tensor shaped like each of the params, or 1.0.

        Args:
            params: List of tensors, w.
            context: `Context`, or another object with its method `which`.
                Only `scaled` needs it.
        """
        chosen = [True] * len(params)
        if self.scaled is not None:
            chosen = context.which(self.scaled)
        return [
            ops.abs(w) + self.eta if scales else 1.0
            for w, scales in zip(params, chosen, strict=True)
        ]


@exported
@dataclasses.dataclass(frozen=True)
class Layerwise(Direction):
    """`||w_l|| g_l / ||g_l||` for each variable l on its own.

    Every variable moves by the same fraction of its length. `w` is the present
    point of the climb. A variable that is zero stays zero.

    Reference: Look-LayerSAM, arXiv:2203.02714; no code of its authors was
    found. Also the rule of AWP, arXiv:2004.05884, as in the authors' code.
    """

    def __call__(self, grads: list, params: list) -> list:
        return [
            vectors.scale(vectors.norm([w]), vectors.unit([g]))[0]
            for g, w in zip(grads, params, strict=True)
        ]


@exported
@dataclasses.dataclass(frozen=True)
class Fisher(Direction):
    """`F^-1 g / sqrt(g F^-1 g)` with `F = 1 + eta g^2`, element by element.

    F is the diagonal of an empirical Fisher information. The length of a step
    is one in the metric of F, and at most one in the Euclidean norm.

    Args:
        eta: Float, at least 0. 0 is `Normalized`.

    Reference: Fisher SAM, arXiv:2206.04920. No code of the authors was found;
    public implementations differ.
    """

    eta: float = 1.0

    def __post_init__(self) -> None:
        _validation.number("eta", self.eta, 0.0)

    def __call__(self, grads: list, params: list) -> list:
        del params
        scaled = [g / (1 + self.eta * g * g) for g in grads]
        length = ops.sqrt(vectors.dot(grads, scaled))
        return vectors.scale(vectors.reciprocal(length), scaled)
