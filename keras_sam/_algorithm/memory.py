"""What the parts of a method remember from step to step."""

from typing import Any
from typing import NamedTuple

from keras import ops


class Memory(NamedTuple):
    """The memory of each part, by its role. A part without memory has `()`.

    Attributes:
        start: Memory of the start, made for the perturbed variables.
        direction: Memory of the direction, made for the perturbed variables.
        descent: Memory of the descent, made for all trained variables.
        cadence: Memory of the cadence, made for all trained variables.
        climbs: Scalar float tensor, the number of steps that have climbed. It
            is a float because replicas average it. It is `()` unless a cadence
            decides which steps climb.
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
        perturbed: List of tensors, the values of the perturbed variables.
    """
    return Memory(
        start=method.start.init(perturbed) if method.start else (),
        direction=method.direction.init(perturbed),
        descent=method.descent.init(trained),
        cadence=method.cadence.init(trained),
        climbs=ops.zeros(()) if method.skips_steps else (),
    )
