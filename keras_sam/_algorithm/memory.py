"""What the parts of a method remember from step to step."""

from typing import Any
from typing import NamedTuple

from keras import ops


class Memory(NamedTuple):
    """The memory of each part, by its role; `()` where there is none.

    Attributes:
        start: Of the start, shaped after the perturbed variables.
        direction: Of the direction, likewise.
        descent: Of the descent, shaped after all trained variables.
        cadence: Of the cadence, likewise.
        climbs: How many steps have climbed, a float, for the mean of replicas.
            It is counted where the cadence skips some.
    """

    start: Any
    direction: Any
    descent: Any
    cadence: Any
    climbs: Any


def first(method, trained, perturbed):
    """Returns the first `Memory` of a method.

    Args:
        method: `method.Method`.
        trained: List of tensors, the values of all trained variables.
        perturbed: List of tensors, those of the perturbed ones.
    """
    return Memory(
        start=method.start.init(perturbed) if method.start else (),
        direction=method.direction.init(perturbed),
        descent=method.descent.init(trained),
        cadence=method.cadence.init(trained),
        climbs=ops.zeros(()) if method.skips_steps else (),
    )
