"""Results of diagnostics, and the work that they are the results of."""

import dataclasses
import warnings

import keras
import numpy as np


class Result:
    """Base of frozen dataclasses of floats, ints, strings and NumPy arrays."""

    def to_dict(self):
        """Returns the fields as `json.dumps` takes them.

        Arrays are lists; a number that is not finite is None.
        """
        return {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
        }


class Work:
    """Counts what is done of a long work, shows it, and lets it end early.

        with Work(progress, total, "batch") as work:
            for item in items:
                ...
                work.advance()

    An interruption (Ctrl-C) ends the block with a warning, and keeps what is
    done, unless nothing is.

    Args:
        progress: False for silence, True for a bar, or a function of the
            number that is done and the total, which returns True to end the
            work there.
        total: Int, or None where it is not known.
        unit: String, what is counted.

    Attributes:
        complete: Bool, whether all was done. To be read after the block.

    Raises:
        TypeError: If `progress` is neither a bool nor callable.
    """

    def __init__(self, progress, total, unit):
        if not isinstance(progress, bool) and not callable(progress):
            raise TypeError(
                "`progress` must be True, False, or a function of the number "
                f"that is done and the total. Received: {progress!r}"
            )
        self.complete = False
        self._total = total
        self._unit = unit
        self._done = 0
        self._show = None if progress is False else progress
        if progress is True:
            self._show = keras.utils.Progbar(total, unit_name=unit).update
        self._bar = progress is True

    def __enter__(self):
        return self

    def advance(self):
        """Notes that one more is done."""
        self._done += 1
        if self._bar:
            self._show(self._done)
        elif self._show and self._show(self._done, self._total) is True:
            raise _End

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.complete = True
            return False
        ended = issubclass(kind, (_End, KeyboardInterrupt))
        if not ended or not self._done:
            return False
        self.complete = self._done == self._total
        if issubclass(kind, KeyboardInterrupt):
            warnings.warn(
                f"Interrupted: the result is that of {self._done} of "
                f"{self._total or 'an unknown number'} ({self._unit})",
                stacklevel=3,
            )
        return True


class _End(Exception):
    """The user's function has ended the work."""


def mean(values, sizes):
    """Returns the mean of an array along its first axis, weighted by size."""
    return np.average(values, axis=0, weights=sizes)


def deviation(values, sizes):
    """Returns the standard deviation that goes with `mean`."""
    spread = np.asarray(values) - mean(values, sizes)
    return np.sqrt(mean(spread**2, sizes))


def _plain(value):
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
