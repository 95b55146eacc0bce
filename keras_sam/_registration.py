"""How classes are called in saved files, and which version wrote a file."""

from typing import TypeVar

import keras

__version__ = "0.1.0"

_Class = TypeVar("_Class", bound=type)


def exported(kind: _Class) -> _Class:
    """Registers a class with Keras under its public name.

    A class in `keras_sam/directions/_gradient.py` becomes
    `keras_sam.directions>Normalized` in saved files. It also says that
    `keras_sam.directions` is its module. So classes of one name in two modules
    cannot be taken for each other, and files stay valid when the private files
    are rearranged. The faces list the names once more, since editors and type
    checkers read only what is written there; a test compares the two.

    Raises:
        ValueError: If another class has the name already.
    """
    kind.__module__ = public_module(kind.__module__)
    name = f"{kind.__module__}>{kind.__name__}"
    registered = keras.saving.get_registered_object(name)
    if registered is not None:
        raise ValueError(
            f"A class must have a name of its own. Received two called {name!r}"
        )
    register = keras.saving.register_keras_serializable(kind.__module__)
    return register(kind)


def public_module(name: str) -> str:
    """Returns the part of a module's name before its first private part."""
    parts = name.split(".")
    private = [i for i, part in enumerate(parts) if part.startswith("_")]
    return ".".join(parts[: private[0]] if private else parts)
