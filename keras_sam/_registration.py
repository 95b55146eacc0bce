"""The names of classes in saved files, and the version that wrote a file."""

from typing import TypeVar

import keras

__version__ = "0.1.0"

_Class = TypeVar("_Class", bound=type)
_EXPORTED: dict[str, dict[str, type]] = {}


def exported(kind: _Class) -> _Class:
    """Registers a class with Keras under its public name.

    The class `Normalized` in `keras_sam/directions/_gradient.py` becomes
    `keras_sam.directions>Normalized` in saved files, and its `__module__`
    becomes `keras_sam.directions`. So Keras cannot confuse two classes of one
    name, and saved files stay valid when classes move between private files.
    The public modules list the names once more, since editors and type
    checkers read only those lists. A test compares the lists with the classes.

    Raises:
        ValueError: If another class has the name already.
    """
    kind.__module__ = public_module(kind.__module__)
    name = f"{kind.__module__}>{kind.__name__}"
    registered = keras.saving.get_registered_object(name)
    if registered is not None:
        raise ValueError(
            f"{name!r} is the name of another class already. Rename one of "
            f"the two. Received: {kind!r}, after {registered!r}"
        )
    _EXPORTED.setdefault(kind.__module__, {})[kind.__name__] = kind
    register = keras.saving.register_keras_serializable(kind.__module__)
    return register(kind)


def classes(module: str) -> dict[str, type]:
    """Returns the exported classes of a public module, by name.

    Args:
        module: String, as `keras_sam.directions`.
    """
    return dict(_EXPORTED.get(module, {}))


def public_module(name: str) -> str:
    """Returns the part of a module's name before its first private part."""
    parts = name.split(".")
    private = [i for i, part in enumerate(parts) if part.startswith("_")]
    return ".".join(parts[: private[0]] if private else parts)
