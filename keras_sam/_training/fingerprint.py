"""What all workers must have in common, as JSON, for `agreement.agree`."""

import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import keras


def of_wrapper(
    model: keras.Model, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the facts that are known when a model is wrapped.

    Args:
        model: The inner model, built or not.
        arguments: Dict, the arguments of the wrapper.
    """
    return {
        "version": {
            "keras": keras.__version__,
            **_backend_version(),
            "keras_sam": sys.modules["keras_sam"].__version__,
        },
        **{name: _plain(value) for name, value in arguments.items()},
        "model": _plain(model),
        "variables": _variables(model),
    }


def of_training(model: keras.Model, steps: int | None) -> dict[str, Any]:
    """Returns the facts that are known when a compiled model is run.

    Args:
        model: The wrapper.
        steps: Int, the steps that the caller asked for, or None.
    """
    return {
        "steps": steps,
        "variables": _variables(model),
        "compile": _plain(model.get_compile_config()),
        "jit_compile": model.jit_compile,
    }


def of_fit(arguments: Mapping[str, Any]) -> dict[str, int | float]:
    """Returns the numbers among the arguments of `fit`, by name."""
    numbers = {**arguments, **(arguments.get("class_weight") or {})}
    return {
        str(name): value
        for name, value in numbers.items()
        if isinstance(value, (int, float)) and name != "verbose"
    }


def _backend_version() -> dict[str, str]:
    name = keras.backend.backend()
    return {name: sys.modules[name].__version__}


def _variables(model: keras.Model) -> dict[str, str]:
    return {
        v.path: f"{v.dtype}{list(v.shape)}, trainable={v.trainable}"
        for v in model.variables
    }


def _plain(value: Any) -> Any:
    """Returns the Keras config of a value as JSON; its type if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Nothing is going to be loaded.
            config = keras.saving.serialize_keras_object(value)
    except Exception:  # Whatever the method of somebody's class raises.
        config = _name(value)
    return json.loads(json.dumps(_comparable(config), default=_name))


def _comparable(config: Any) -> Any:
    """Returns a config without seeds, whose states come from the chief."""
    if isinstance(config, (list, tuple)):
        return [_comparable(value) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "__lambda__":
        return "lambda"  # Its code holds the path of its file.
    return {
        str(name): _comparable(value)
        for name, value in config.items()
        if name != "seed"
    }


def _name(value: Any) -> str:
    # Not `repr`, which may hold an address.
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}.{named.__qualname__}"
