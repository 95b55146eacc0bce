"""How far weights and outputs are apart."""

import itertools
import re

import numpy as np

from tests.ecosystem import reference

# Of float32, in parts of what training changed.
ROUNDING = 1e-5


class Difference(Exception):
    """Numbers differ by more than they may."""


def state(model):
    """Returns the values of the weights, batch statistics and seeds."""
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    return reference.values(variables)


def pairs(first, second):
    """Yields pairs of float64 arrays, one of each list."""
    for a, b in zip(first, second, strict=True):
        yield np.asarray(a, "float64"), np.asarray(b, "float64")


def difference(first, second):
    """Returns the largest absolute difference, or NaN if any number is NaN."""
    return np.max(
        [np.max(np.abs(a - b)) for a, b in pairs(first, second) if a.size]
    )


def distance(first, second):
    """Returns the Euclidean distance of weights and batch statistics."""
    floats = [np.issubdtype(a.dtype, np.floating) for a in first]
    squares = [np.sum((a - b) ** 2) for a, b in pairs(first, second)]
    return np.sqrt(sum(itertools.compress(squares, floats)))


def within(value, limit, what):
    # Negated, for NaN.
    if not value <= limit:
        raise Difference(f"{what}: {value:.1e}, at most {limit:.0e}")


def number(value):
    """Returns a number as the table has it."""
    return f"{value:.0e}" if value else "0"


def short(error):
    """Returns the message of an error in one line."""
    plain = re.sub(r"\x1b\[\d*m", "", str(error))  # Without colours.
    return " ".join(f"{type(error).__name__}: {plain}".split())[:500]
