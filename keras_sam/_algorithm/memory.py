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


def first(method, role, tensors):
    """Returns the first memory of a role.

    Args:
        method: `method.Method`.
        role: String, a field of `Memory`.
        tensors: List of tensors, the values of the variables that the memory
            is made for.
    """
    if role == "climbs":
        return ops.zeros(()) if method.skips_steps else ()
    part = getattr(method, role)
    return part.init(tensors) if part else ()
