"""A direction that climbs on another loss than the one that is descended."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction


@exported
@dataclasses.dataclass(frozen=True)
class LowerBound(Direction):
    """`h / ||h||`, h the gradient of a lower bound of the number of errors.

        Q = mean over examples of  log(sum_j exp(mu phi(F_j))) / mu

    `F_j` is the logit of class j less the logit of the label. An example is
    classified wrongly if one of them is above 0. phi is below the step function
    there: `1 - log(1 + (e - 1) exp(-x))`, or `tanh(alpha x)` with an alpha.

    The model must have one output, the logits of each example, without a
    softmax, and the targets must be labels or one-hot vectors. Sample weights
    do not count, nor does `ignore_class`: all examples climb. What does not go
    through the outputs, such as regularizers, is climbed as in SAM. A step
    costs a forward pass and a gradient.

    Args:
        mu: Float, above 0. The larger it is, the more the largest F_j counts.
        alpha: Float, above 0, or None.

    Raises:
        ValueError: In the first train step, if the outputs or the targets have
            another form.

    Reference: BiSAM, arXiv:2407.12993; rule as in the authors' code
    (LIONS-EPFL/BiSAM, `loss_fnc.py`), whose command line has mu 1, and alpha
    0.1 for tanh. (Its functions have mu 10 for tanh.)
    """

    mu: float = 1.0
    alpha: float | None = None
    loops = True

    def __post_init__(self) -> None:
        _validation.positive("mu", self.mu)
        if self.alpha is not None:
            _validation.positive("alpha", self.alpha)

    def check(self, arguments: Mapping[str, Any]) -> None:
        samples = arguments["ascent_samples"]
        if samples is not None:
            raise ValueError(
                "`ascent_samples` must be None with the direction LowerBound, "
                "which takes the outputs of all examples. "
                f"Received: {samples!r}"
            )

    def __call__(self, grads: list, params: list, *, context: Context) -> list:
        del grads
        outputs = context.outputs(params)
        slopes = context.output_gradients(params, outputs, self._bound)
        return vectors.unit(context.gradient(params, slopes))

    def _bound(self, targets: Any, logits: Any) -> Any:
        labels = _one_hot(targets, logits)
        logits = vectors.wide(logits)
        labels = ops.cast(labels, logits.dtype)
        margins = logits - ops.sum(labels * logits, -1, keepdims=True)
        heights = ops.logsumexp(self.mu * self._phi(margins), -1)
        return ops.mean(heights) / self.mu

    def _phi(self, x: Any) -> Any:
        if self.alpha is not None:
            return ops.tanh(self.alpha * x)
        return 1.0 - ops.softplus(math.log(math.e - 1) - x)


def _one_hot(targets: Any, logits: Any) -> Any:
    """Returns the targets as one-hot vectors."""
    shape = tuple(getattr(logits, "shape", ()))
    given = tuple(getattr(targets, "shape", ()))
    if (
        len(shape) != 2
        or shape[1] == 1
        or not given
        or given[1:] not in ((), (1,), shape[1:])
    ):
        raise ValueError(
            "`LowerBound` needs a model with one output, of shape (examples, "
            "classes) with two classes or more, and targets that are labels or "
            f"one-hot vectors. Received: outputs of shape {shape}, targets of "
            f"shape {given}"
        )
    if given[1:] == shape[1:]:
        return targets
    labels = ops.cast(ops.reshape(targets, [-1]), "int32")
    return ops.one_hot(labels, shape[1])
