"""Results of the diagnostics, and the progress of the work for them."""

import dataclasses
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from typing import NamedTuple
from typing import Self

import keras
import numpy as np

# See `Work`.
Progress = bool | Callable[[int, int | None], Any]
# NumPy's `ArrayLike` is six lines long where `help` prints a signature.
Numbers = Sequence[float] | np.ndarray


_SHOWN = 3  # Numbers of an array in a `repr`.


class Result:
    """Base of frozen dataclasses of floats, ints, strings and NumPy arrays.

    A subclass is a dataclass with `repr=False`, and has a field `complete`.
    """

    complete: bool

    def __repr__(self) -> str:
        """Returns the main numbers in one line."""
        fields: tuple = dataclasses.fields(self)  # type: ignore[arg-type]
        named = {field.name: getattr(self, field.name) for field in fields}
        single = {
            name: value
            for name, value in named.items()
            if isinstance(value, (int, float, str)) and name != "complete"
        }
        shown = {**self._more(), **single}
        numbers = [f"{name}={_short(value)}" for name, value in shown.items()]
        whole = "complete" if self.complete else "not complete"
        return f"{type(self).__name__}({', '.join([*numbers, whole])})"

    def _more(self) -> dict[str, Any]:
        """Returns what the `repr` says of the arrays."""
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields in a form that `json.dumps` takes.

        Arrays become lists. A number that is not finite becomes None.
        """
        fields: tuple = dataclasses.fields(self)  # type: ignore[arg-type]
        return {
            field.name: _plain(getattr(self, field.name)) for field in fields
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Returns the result that `to_dict` has made a dict of.

        A None becomes NaN: JSON does not say whether a number was infinite.

        Args:
            content: Dict, perhaps from JSON.
        """
        arrays = {
            field.name
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if field.type is np.ndarray
        }
        return cls(
            **{
                name: _array(value) if name in arrays else value
                for name, value in content.items()
            }
        )


class Work:
    """Counts the finished items of long work, shows them, and may end it early.

        with Work(progress, total, "batch") as work:
            for item in items:
                ...
                work.advance()

    Ctrl-C ends the block with a warning and keeps the finished items. If there
    is none yet, KeyboardInterrupt leaves the block.

    Args:
        progress: False for silence, True for a bar, or a function of the number
            of finished items and the total. If it returns True, the work ends.
        total: Int, or None if unknown.
        unit: String, the name of an item.

    Attributes:
        complete: Bool, whether all items are finished. Valid after the block.

    Raises:
        TypeError: If `progress` is neither a bool nor callable.
    """

    def __init__(
        self, progress: Progress, total: int | None, unit: str
    ) -> None:
        if not isinstance(progress, bool) and not callable(progress):
            raise TypeError(
                "`progress` must be True, False, or a function of the number "
                f"of finished items and the total. Received: {progress!r}"
            )
        self.complete = False
        self._total = total
        self._unit = unit
        self._done = 0
        self._bar, self._function = None, None
        if progress is True:
            self._bar = keras.utils.Progbar(total, unit_name=unit)
        elif progress is not False:
            self._function = progress

    def __enter__(self) -> Self:
        return self

    def advance(self) -> None:
        """Counts one more finished item."""
        self._done += 1
        if self._bar:
            self._bar.update(self._done)
        if self._function and self._function(self._done, self._total) is True:
            raise _End

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if kind is None:
            self.complete = True
            return False
        ends = issubclass(kind, (_End, KeyboardInterrupt))
        if not ends or not self._done:
            return False
        self.complete = self._done == self._total
        if issubclass(kind, KeyboardInterrupt):
            warnings.warn(
                f"Interrupted after {self._done} of "
                f"{self._total or 'an unknown number'} ({self._unit}). The "
                "result holds only these",
                stacklevel=3,
            )
        return True


class _End(Exception):
    """The user's function has ended the work."""


def mean(values: np.ndarray, sizes: np.ndarray) -> Any:
    """Returns the mean of an array along its first axis, weighted by size."""
    return np.average(values, axis=0, weights=sizes)


def deviation(values: np.ndarray, sizes: np.ndarray) -> Any:
    """Returns the standard deviation around `mean`, weighted by size."""
    spread = np.asarray(values) - mean(values, sizes)
    return np.sqrt(mean(spread**2, sizes))


def span(name: str, values: np.ndarray) -> dict[str, Any]:
    """Returns the range of the measured values for a `repr`."""
    known = values[~np.isnan(values)]
    return {name: _Span(known.min(), known.max())} if known.size else {}


class _Span(NamedTuple):
    low: float
    high: float

    def __repr__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _array(value: Any) -> np.ndarray:
    array = np.array(value)
    return array.astype("float64") if array.dtype == object else array


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        shown = [_short(float(v)) for v in value[:_SHOWN]]
        more = ["..."] if len(value) > _SHOWN else []
        return f"[{', '.join([*shown, *more])}]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
