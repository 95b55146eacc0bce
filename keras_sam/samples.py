"""Which examples of a batch a climb, or a descent, is on.

A choice of samples is called with two functions without arguments, that of the
clean losses and that of the losses at the present point of the climb, each of
which returns a tensor of one loss an example (up to an addend common to all),
and returns the indices of the chosen ones. What it does not call is not
computed. Losses at the present point cost a forward pass. `parts.py` says how
it asks for context.

Losses are those that `sample_weight` and `class_weight` make of them.
"""

import dataclasses

from keras import ops

from keras_sam import _validation
from keras_sam._registration import exported
from keras_sam.parts import Samples

__all__ = ["Drawn", "Largest", "Rising"]


class _Fraction(Samples):
    def __post_init__(self):
        _validation.positive("fraction", self.fraction)
        _validation.number("fraction", self.fraction, 0.0, 1.0)

    def _largest(self, values):
        """Returns the indices of the largest, one at least."""
        size = ops.shape(values)[0]
        if isinstance(size, int):
            number = min(max(round(self.fraction * size), 1), size)
        else:
            number = ops.round(self.fraction * ops.cast(size, "float32"))
            number = ops.maximum(ops.cast(number, "int32"), 1)
            number = ops.minimum(number, size)
        return ops.argsort(-values)[:number]


@exported
@dataclasses.dataclass(frozen=True)
class Largest(_Fraction):
    """Those of the largest clean loss.

    Args:
        fraction: Float, above 0, at most 1, of the batch.

    Reference: K-SAM, arXiv:2210.12864, for climb and descent, of which the
    abstract says as much; no code was found.
    """

    fraction: float = 0.5

    def __call__(self, clean_losses, losses):
        del losses
        return self._largest(clean_losses())


@exported
@dataclasses.dataclass(frozen=True)
class Rising(_Fraction):
    """Those whose loss the climb has raised most; for the descent alone.

    Args:
        fraction: Float, above 0, at most 1, of the batch.

    Reference: sharpness-sensitive data selection of ESAM, arXiv:2110.03141, as
    in the authors' code but for rounding.
    """

    fraction: float = 0.5

    def __call__(self, clean_losses, losses):
        return self._largest(losses() - clean_losses())

    def check(self, arguments):
        if isinstance(arguments["ascent_samples"], Rising):
            raise ValueError(
                "`ascent_samples` must not be chosen by what the climb does to "
                f"them. Received: {arguments['ascent_samples']!r}"
            )


@exported
@dataclasses.dataclass(frozen=True)
class Drawn(_Fraction):
    """A random subset, drawn anew in each step.

    Args:
        fraction: Float, above 0, at most 1, of the batch.
        seed: Int.

    Reference: a quarter of the batch for the climb in Bahri et al.,
    arXiv:2110.08529, by the word of a secondary source.
    """

    fraction: float = 0.25
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        _validation.integer("seed", self.seed, 0)

    def __call__(self, clean_losses, losses, *, context):
        del clean_losses, losses
        return self._largest(context.draws(self).uniform([context.examples]))
