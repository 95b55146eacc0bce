"""Checks of the fields of parts, with clear errors."""

import math
import numbers
import operator

import keras
import numpy as np


def number(name, value, minimum=-math.inf, maximum=math.inf):
    """Returns a finite float of a range that includes its ends.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not finite, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    if not math.isfinite(value) or not minimum <= value <= maximum:
        limits = [
            f"at least {minimum}" if minimum > -math.inf else "",
            f"at most {maximum}" if maximum < math.inf else "",
        ]
        raise ValueError(
            f"`{name}` must be {', '.join(['finite', *filter(None, limits)])}. "
            f"Received: {value!r}"
        )
    return float(value)


def scheduled(name, value, minimum=-math.inf, maximum=math.inf):
    """Returns a float as `number` does, or a schedule that begins with one."""
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        number(name, float(value(0)), minimum, maximum)
        return value
    return number(name, value, minimum, maximum)


def integer(name, value, minimum):
    """Returns an int that is not below the minimum.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is too small.
    """
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None:
        raise TypeError(f"`{name}` must be an integer. Received: {value!r}")
    if found < minimum:
        raise ValueError(
            f"`{name}` must be at least {minimum}. Received: {value!r}"
        )
    return found


def integer_up_to(name, value, maximum, meaning):
    """Returns an int from 1 to a maximum.

    Args:
        name: String, the argument.
        value: The value that the user gave.
        maximum: Int.
        meaning: String, what the maximum is, for the error.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is out of range.
    """
    value = integer(name, value, 1)
    if value > maximum:
        raise ValueError(
            f"`{name}` must be at most {meaning}, {maximum}. "
            f"Received: {value!r}"
        )
    return value


def positive(name, value):
    """Returns a float as `number` does, above 0."""
    value = number(name, value, 0.0)
    if value == 0:
        raise ValueError(f"`{name}` must be above 0. Received: {value!r}")
    return value


def fraction(name, value):
    """Returns a float as `number` does, in [0, 1)."""
    value = number(name, value, 0.0)
    if value >= 1:
        raise ValueError(f"`{name}` must be below 1. Received: {value!r}")
    return value


def several(name, values):
    """Returns a tuple of finite floats.

    Raises:
        TypeError: If it is not a list or tuple of numbers.
        ValueError: If one is not finite.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(
            f"`{name}` must be a tuple of numbers. Received: {values!r}"
        )
    return tuple(number(name, value) for value in values)


def row(name, values, rising=False):
    """Returns finite numbers as a float64 array with one axis, not empty.

    Args:
        name: String, the argument.
        values: The value that the user gave.
        rising: Whether each number must be above the one before it.

    Raises:
        ValueError: If it is no such row.
    """
    array = np.asarray(values, "float64")
    fits = array.ndim == 1 and array.size and np.isfinite(array).all()
    if not fits or (rising and not np.all(np.diff(array) > 0)):
        kind = "finite, rising numbers" if rising else "finite numbers"
        raise ValueError(
            f"`{name}` must be a row of {kind}. Received: {array!r}"
        )
    return array


def choice(name, value, choices):
    """Returns one of the choices."""
    # 1 == True, but is not one of the choices (True, False).
    if not any(type(value) is type(c) and value == c for c in choices):
        raise ValueError(
            f"`{name}` must be one of {tuple(choices)}. Received: {value!r}"
        )
    return value
