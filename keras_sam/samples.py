"""Which examples of a batch a climb, or a descent, is on.

A choice of samples gets two functions without arguments and returns the indices
of the chosen examples. `clean_losses()` returns a tensor with the loss of each
example at the clean point. `losses()` does so at the present point of the climb
and costs a forward pass. A function that is not called costs nothing. The
losses include `sample_weight`, `class_weight` and `loss_weights`, but not
regularizers. Their mean is the loss of the batch. A loss that is no sum over
examples is an error: `keras.losses.Dice()`, a function that ends in a mean. Any
callable will do, and a subclass of `keras_sam.parts.Samples` may do more: ask
for context, or be saved with the model. Samples cannot have a memory.

    def hardest(clean_losses, losses):
        return keras.ops.argsort(-clean_losses())[:8]

    sam = keras_sam.SAM(model, ascent_samples=hardest)

- by their losses: `Largest`, `Rising`
- at random: `Drawn`
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import parts
from keras_sam._registration import exported

__all__ = ["Drawn", "Largest", "Rising"]


class _Fraction(parts.Samples):
    """Chooses a fraction of the batch."""

    # A subclass is a dataclass, and defines the field again with a default.
    fraction: float

    def __post_init__(self) -> None:
        _validation.positive("fraction", self.fraction)
        _validation.number("fraction", self.fraction, 0.0, 1.0)

    def _largest(self, values: Any) -> Any:
        """Returns the indices of the largest values, at least one index."""
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
    """The examples with the largest clean losses.

    Args:
        fraction: Float, above 0, at most 1, of the batch.

    Reference: K-SAM, arXiv:2210.12864, which chooses so for climb and descent.
    The rule is from the abstract; no code was found.
    """

    fraction: float = 0.5

    def __call__(
        self, clean_losses: Callable[[], Any], losses: Callable[[], Any]
    ) -> Any:
        del losses
        return self._largest(clean_losses())


@exported
@dataclasses.dataclass(frozen=True)
class Rising(_Fraction):
    """The examples whose losses the climb has raised most; descent only.

    Args:
        fraction: Float, above 0, at most 1, of the batch.

    Reference: sharpness-sensitive data selection of ESAM, arXiv:2110.03141, as
    in the authors' code but for rounding.
    """

    fraction: float = 0.5

    def __call__(
        self, clean_losses: Callable[[], Any], losses: Callable[[], Any]
    ) -> Any:
        return self._largest(losses() - clean_losses())

    def check(self, arguments: Mapping[str, Any]) -> None:
        if isinstance(arguments["ascent_samples"], Rising):
            raise ValueError(
                "`ascent_samples` must not be Rising, which compares losses "
                "after the climb. Pass it as `descent_samples`. "
                f"Received: {arguments['ascent_samples']!r}"
            )


@exported
@dataclasses.dataclass(frozen=True)
class Drawn(_Fraction):
    """A random subset of the examples, another one in each step.

    Args:
        fraction: Float, above 0, at most 1, of the batch.
        seed: Int, at least 0.

    Reference: Bahri et al., arXiv:2110.08529, who climb on a quarter of the
    batch. This is from a secondary source.
    """

    fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _validation.integer("seed", self.seed, 0)

    def __call__(
        self,
        clean_losses: Callable[[], Any],
        losses: Callable[[], Any],
        *,
        context: parts.Context,
    ) -> Any:
        del clean_losses, losses
        return self._largest(context.draws(self).uniform([context.examples]))
