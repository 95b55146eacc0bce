"""Checks of arguments. Each error names the argument and what was received."""

import math
import numbers
import operator
import re
from collections.abc import Iterable
from typing import Any
from typing import TypeVar

import keras
import numpy as np

_Choice = TypeVar("_Choice")


def number(
    name: str,
    value: Any,
    minimum: float = -math.inf,
    maximum: float = math.inf,
) -> float:
    """Returns a finite number of a range as a float.

    The range includes its ends.

    Raises:
        TypeError: If the value is not a number.
        ValueError: If the value is not finite, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    result = float(value)
    if not math.isfinite(result) or not minimum <= result <= maximum:
        limits = [
            f"at least {minimum}" if minimum > -math.inf else "",
            f"at most {maximum}" if maximum < math.inf else "",
        ]
        raise ValueError(
            f"`{name}` must be {', '.join(['finite', *filter(None, limits)])}. "
            f"Received: {value!r}"
        )
    return result


def scheduled(
    name: str,
    value: Any,
    minimum: float = -math.inf,
    maximum: float = math.inf,
) -> Any:
    """Returns a float as `number` does, or a schedule.

    Only the first value of a schedule is checked: others need not be in range.

    Raises:
        TypeError: If the value is neither a number nor a schedule.
        ValueError: If the number, or the first value of the schedule, is not
            finite, or out of range.
    """
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        number(name, float(value(0)), minimum, maximum)
        return value
    return number(name, value, minimum, maximum)


def integer(name: str, value: Any, minimum: int) -> int:
    """Returns an int that is not below the minimum.

    Raises:
        TypeError: If the value is not an integer.
        ValueError: If the value is too small.
    """
    try:
        index = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        index = None
    if index is None:
        raise TypeError(f"`{name}` must be an integer. Received: {value!r}")
    if index < minimum:
        raise ValueError(
            f"`{name}` must be at least {minimum}. Received: {value!r}"
        )
    return index


def integer_up_to(name: str, value: Any, maximum: int, meaning: str) -> int:
    """Returns an int from 1 to a maximum.

    Args:
        name: String, the argument.
        value: The value that the user gave.
        maximum: Int.
        meaning: String, what the maximum is, for the error.

    Raises:
        TypeError: If the value is not an integer.
        ValueError: If the value is out of range.
    """
    value = integer(name, value, 1)
    if value > maximum:
        raise ValueError(
            f"`{name}` must be at most {meaning}, {maximum}. "
            f"Received: {value!r}"
        )
    return value


def positive(name: str, value: Any) -> float:
    """Returns a float as `number` does, above 0."""
    value = number(name, value, 0.0)
    if value == 0:
        raise ValueError(f"`{name}` must be above 0. Received: {value!r}")
    return value


def fraction(name: str, value: Any) -> float:
    """Returns a float as `number` does, in [0, 1)."""
    value = number(name, value, 0.0)
    if value >= 1:
        raise ValueError(f"`{name}` must be below 1. Received: {value!r}")
    return value


def several(name: str, values: Any) -> tuple[float, ...]:
    """Returns a list or tuple of finite numbers as a tuple of floats.

    Raises:
        TypeError: If the values are not a list or tuple of numbers.
        ValueError: If a number is not finite.
    """
    if not isinstance(values, (list, tuple)):
        raise TypeError(
            f"`{name}` must be a list or tuple of numbers. Received: {values!r}"
        )
    return tuple(number(name, value) for value in values)


def row(name: str, values: Any, rising: bool = False) -> np.ndarray:
    """Returns finite numbers as a float64 array with one axis, not empty.

    Args:
        name: String, the argument.
        values: The value that the user gave.
        rising: Whether each number must be above the one before it.

    Raises:
        ValueError: If the values are not such a row.
    """
    array = np.asarray(values, "float64")
    fits = array.ndim == 1 and array.size and np.isfinite(array).all()
    if not fits or (rising and not np.all(np.diff(array) > 0)):
        kind = "finite, rising numbers" if rising else "finite numbers"
        raise ValueError(
            f"`{name}` must be a row of {kind}. Received: {array!r}"
        )
    return array


def variables(name: str, value: Any) -> Any:
    """Returns a choice of variables.

    It is None, a regular expression on variable paths, or a predicate of a
    variable, or of a variable and its layer.

    Raises:
        TypeError: If the value is none of these.
        ValueError: If the regular expression is not valid.
    """
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(
                f"`{name}` must be a valid regular expression. Received: "
                f"{value!r} ({error})"
            ) from error
    elif value is not None and (isinstance(value, type) or not callable(value)):
        raise TypeError(
            f"`{name}` must be None, a regular expression on variable paths, "
            "or a predicate of a variable, such as "
            f"`keras_sam.selections.Normalization()`. Received: {value!r}"
        )
    return value


def choice(name: str, value: Any, choices: Iterable[_Choice]) -> _Choice:
    """Returns the value if it is one of the choices.

    Raises:
        ValueError: If it is not.
    """
    choices = tuple(choices)
    # 1 == True, but 1 is not one of the choices (True, False).
    if not any(type(value) is type(c) and value == c for c in choices):
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {value!r}"
        )
    return value
