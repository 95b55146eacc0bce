"""Checks of the arguments of SharpnessAwareMinimization, with clear errors."""

import re

import keras

from keras_sam import _keras_internals
from keras_sam import _validation
from keras_sam import parts
from keras_sam._algorithm import climb

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
        if not _keras_internals.is_of_keras(getattr(value, name)):
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
        given["num_batch_splits"] = _validation.integer(
            "num_batch_splits", given["num_batch_splits"], 1
        )
    checked = {
        **given,
        "rho": _validation.scheduled("rho", given["rho"], 0.0),
        "ascent_steps": _validation.integer(
            "ascent_steps", given["ascent_steps"], 0
        ),
        "radius": _validation.choice(
            "radius", given["radius"], tuple(climb.RADII)
        ),
        **{name: parts.part(name, given[name]) for name in parts.PARTS},
        "perturb": perturb(given["perturb"]),
        "sync_perturbations": _validation.choice(
            "sync_perturbations", given["sync_perturbations"], (True, False)
        ),
        "track": track(given["track"]),
        "xla": _validation.choice("xla", given["xla"], ("auto", True, False)),
    }
    if checked["sync_perturbations"] and checked["num_batch_splits"]:
        raise ValueError(
            "`sync_perturbations=True` is one climb for the batch of all "
            "replicas, `num_batch_splits` several for the batch of each: give "
            "only one. Received: num_batch_splits="
            f"{checked['num_batch_splits']}"
        )
    for name in ("ascent_samples", "descent_samples"):
        if checked["sync_perturbations"] and checked[name] is not None:
            raise ValueError(
                "`sync_perturbations=True` is one climb for the batch of all "
                f"replicas, `{name}` a choice among the examples of each: give "
                f"only one. Received: {name}={checked[name]!r}"
            )
    if checked["track"] and checked["ascent_steps"] == 0:
        raise ValueError(
            "`track` measures climbs, so `ascent_steps` must be at least 1. "
            "Received: 0"
        )
    if checked["track"] and checked["descent_samples"] is not None:
        raise ValueError(
            "`track` compares losses of the whole batch, of which "
            "`descent_samples` is a choice: give only one. Received: "
            f"descent_samples={checked['descent_samples']!r}"
        )
    for name in parts.PARTS:
        if hasattr(checked[name], "check"):
            checked[name].check(checked)
    return checked


def track(value):
    """Returns a bool, or in which steps to measure, an int of at least 1."""
    if isinstance(value, bool):
        return value
    try:
        return _validation.integer("track", value, 1)
    except TypeError as error:
        raise TypeError(
            "`track` must be a bool, or an integer of at least 1. "
            f"Received: {value!r}"
        ) from error


def perturb(value):
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
