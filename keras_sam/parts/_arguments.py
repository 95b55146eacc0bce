"""The arguments of the wrapper that are parts, and the parts by their names."""

from typing import NamedTuple

from keras_sam import _names
from keras_sam import _registration
from keras_sam.parts._part import Part
from keras_sam.parts._roles import Cadence
from keras_sam.parts._roles import Descent
from keras_sam.parts._roles import Direction
from keras_sam.parts._roles import Samples
from keras_sam.parts._roles import Start


class Argument(NamedTuple):
    """An argument of the wrapper that is a part.

    Attributes:
        role: The class of its role.
        module: String, the module of `keras_sam` to look for such parts.
        optional: Bool, whether the argument may be None.
    """

    role: type[Part]
    module: str
    optional: bool = False


ARGUMENTS = {
    "direction": Argument(Direction, "directions"),
    "descent": Argument(Descent, "descents"),
    "cadence": Argument(Cadence, "cadences"),
    "start": Argument(Start, "starts", optional=True),
    "ascent_samples": Argument(Samples, "samples", optional=True),
    "descent_samples": Argument(Samples, "samples", optional=True),
}


def names(argument: str, kind: type[Part] | None = None) -> list[str]:
    """Returns the names of the parts of this library for an argument, sorted.

    Args:
        argument: String, a key of `ARGUMENTS`.
        kind: The class that the parts must be of, such as `Part`, which also
            has parts of parts (`FisherMask`); None for the role of the
            argument.
    """
    return sorted(_classes(argument, kind))


def find(
    argument: str, name: str, kind: type[Part] | None = None
) -> type[Part]:
    """Returns the class of a part of this library by its name.

    Capitals and underscores do not count: "noise_first" is `NoiseFirst`.

    Args:
        argument: String, a key of `ARGUMENTS`.
        name: String, the name of the class.
        kind: As for `names`.

    Raises:
        ValueError: If there is no such part. The error has the nearest names.
    """
    classes = _classes(argument, kind)
    known = {each: (each,) for each in sorted(classes)}
    found = _names.alike(name, known)
    if not found:
        meant = _names.did_you_mean(_names.near(name, known))
        raise ValueError(
            f"`{argument}` must be one of `keras_sam."
            f"{ARGUMENTS[argument].module}`, another callable, or the name of "
            f"one of {list(known)}. {meant}Received: {name!r}"
        )
    return classes[found[0]]


def _classes(argument: str, kind: type[Part] | None) -> dict[str, type[Part]]:
    role, module, _ = ARGUMENTS[argument]
    classes = _registration.classes(f"keras_sam.{module}")
    return {n: c for n, c in classes.items() if issubclass(c, kind or role)}
