"""Checks of the arguments of SharpnessAwareMinimization, with clear errors."""

import math
import numbers
import operator
import re

import keras

from keras_sam import ascent

_OVERRIDES = (
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
)


def model(value):
    """Returns a model that can be wrapped."""
    if not isinstance(value, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {value!r}")
    for name in _OVERRIDES:
        module = getattr(getattr(value, name), "__module__", "")
        if not module.startswith("keras.src."):
            raise ValueError(
                f"`model` must leave `{name}` to Keras, since the wrapper "
                "would not call it; override it in a subclass of "
                "SharpnessAwareMinimization. Received a "
                f"{type(value).__name__} that overrides it"
            )
    return value


def arguments(**given):
    """Returns the checked arguments of the wrapper, by name."""
    if given["num_batch_splits"] is not None:
        given["num_batch_splits"] = _integer(
            "num_batch_splits", given["num_batch_splits"], 1
        )
    checked = {
        **given,
        "rho": _rho(given["rho"]),
        "ascent_steps": _integer("ascent_steps", given["ascent_steps"], 0),
        "radius": _choice("radius", given["radius"], tuple(ascent.RADII)),
        "direction": _part("direction", given["direction"]),
        "descent": _part("descent", given["descent"]),
        "perturb": _perturb(given["perturb"]),
        "sync_perturbations": _choice(
            "sync_perturbations", given["sync_perturbations"], (True, False)
        ),
        "xla": _choice("xla", given["xla"], ("auto", True, False)),
    }
    if checked["sync_perturbations"] and checked["num_batch_splits"]:
        raise ValueError(
            "`sync_perturbations=True` is one climb for the batch of all "
            "replicas, `num_batch_splits` several for the batch of each: give "
            "only one. Received: num_batch_splits="
            f"{checked['num_batch_splits']}"
        )
    return checked


def _rho(value):
    """Returns a float, or a schedule as it is."""
    schedule = isinstance(
        value, keras.optimizers.schedules.LearningRateSchedule
    )
    first = float(value(0)) if schedule else value
    if isinstance(first, bool) or not isinstance(first, numbers.Real):
        raise TypeError(
            "`rho` must be a number or a "
            "`keras.optimizers.schedules.LearningRateSchedule`. "
            f"Received: {value!r}"
        )
    if not 0 <= first < math.inf:
        raise ValueError(
            "`rho` must be finite and at least 0, a schedule from its start. "
            f"Received: {value!r}"
        )
    return value if schedule else float(value)


def _integer(name, value, minimum):
    """Returns an int that is not below the minimum."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"`{name}` must be an integer. Received: {value!r}")
    if number < minimum:
        raise ValueError(
            f"`{name}` must be at least {minimum}. Received: {value!r}"
        )
    return number


def _choice(name, value, choices):
    """Returns one of the choices."""
    # 1 == True, but is not one of the choices (True, False).
    if not any(type(value) is type(c) and value == c for c in choices):
        raise ValueError(
            f"`{name}` must be one of {tuple(choices)}. Received: {value!r}"
        )
    return value


def _part(name, value):
    """Returns a direction or a descent."""
    if isinstance(value, type) or not callable(value):
        raise TypeError(
            f"`{name}` must be an instance from `keras_sam.{name}s`, or "
            f"another callable. Received: {value!r}"
        )
    return value


def _perturb(value):
    """Returns None, a regular expression, or a predicate of variables."""
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(
                "`perturb` must be a valid regular expression. Received: "
                f"{value!r} ({error})"
            ) from error
    elif value is not None and (isinstance(value, type) or not callable(value)):
        raise TypeError(
            "`perturb` must be None, a regular expression on variable paths, "
            f"or a predicate of a variable. Received: {value!r}"
        )
    return value


def saved(name, value):
    """Returns the serialized value of an argument.

    Raises:
        ValueError: If Keras could not load it again.
    """
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
