"""The config of a wrapper, as a saved file holds it."""

import inspect

import keras

from keras_sam import _registration

_VERSION = "keras_sam_version"


def of_arguments(arguments):
    """Returns arguments of the wrapper, serialized, and keras_sam's version.

    Args:
        arguments: Dict of all arguments but `model`.

    Raises:
        ValueError: If an argument cannot be saved.
    """
    return {
        _VERSION: _registration.__version__,
        **{name: _saved(name, value) for name, value in arguments.items()},
    }


def arguments(kind, config, custom_objects):
    """Returns the arguments of a constructor from a config.

    Args:
        kind: The class of the wrapper.
        config: Dict, what `get_config` of the wrapper has returned.
        custom_objects: As in `keras.saving.deserialize_keras_object`.

    Raises:
        ValueError: If an argument is unknown, or cannot be loaded.
    """
    config = dict(config)
    version = config.pop(_VERSION, "0.1.0 or older")
    parameters = inspect.signature(kind.__init__).parameters
    # `trainable` and `dtype` are arguments of Keras.
    known = {*parameters, "trainable", "dtype"}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    unknown = sorted(set(config) - known)
    if unknown and not takes_any:
        raise ValueError(
            f"{kind.__name__} has no argument {unknown}. {_origin(version)} "
            "If the class is your own, its `get_config` must return what its "
            "constructor takes. "
            f"Received: { {name: config[name] for name in unknown} }"
        )
    return {
        name: _loaded(name, value, custom_objects, version)
        for name, value in config.items()
    }


def _saved(name, value):
    try:
        config = keras.saving.serialize_keras_object(value)
        keras.saving.deserialize_keras_object(config)
    except Exception as error:
        raise ValueError(
            f"`{name}` cannot be saved: it must be a Keras object or be "
            "registered with `keras.saving.register_keras_serializable`. "
            f"Received: {value!r}"
        ) from error
    return config


def _loaded(name, value, custom_objects, version):
    try:
        return keras.saving.deserialize_keras_object(value, custom_objects)
    except TypeError as error:
        # Keras raises it for a class that it does not know.
        raise ValueError(
            f"`{name}` cannot be loaded. {_origin(version)} Register a class "
            "of your own before you load, or pass it in `custom_objects`. "
            f"Received: {value!r}"
        ) from error


def _origin(version):
    return (
        f"keras_sam {version} wrote the file, and this is keras_sam "
        f"{_registration.__version__}."
    )
