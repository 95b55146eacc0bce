"""Data in the forms that `fit` takes, as batches to be read many times."""

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import tree

from keras_sam import _validation
from keras_sam._backend.jax import batches as rows_of
from keras_sam._evaluation import fit_data
from keras_sam._evaluation import preparation


class Batches:
    """Batches that can be read many times, always in the same order.

    Args:
        read: Function that returns an iterator over batches.
        number: Int, how many there are, or -1 if that is unknown.
    """

    def __init__(self, read: Callable[[], Iterator], number: int) -> None:
        self._read = read
        self._number = number

    def __iter__(self) -> Iterator:
        return self._read()

    def cardinality(self) -> int:
        """Returns the number of batches, or -1 if it is unknown."""
        return self._number


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int = 128,
    prepare: Callable | None = None,
) -> Batches:
    """Returns data as batches, in their order.

    Args:
        x: Arrays or tensors in any nested structure; or a `tf.data.Dataset` of
            batches, a `keras.utils.PyDataset`, a `DataLoader` of PyTorch, or
            any other sized iterable over batches. Arrays of floats are cast to
            `keras.config.floatx()`, as in `fit`.
        y: Targets, if `x` is arrays.
        sample_weight: Weights of the examples, or None, if `x` is arrays.
        batch_size: Int, at least 1, if `x` is arrays.
        prepare: `preparation.preparer` of the model.

    Raises:
        TypeError: If the data are of another type.
        ValueError: If there are no data, if `x`, `y` and `sample_weight` have
            different numbers of examples, or if the data do not end.
    """
    size = _validation.integer("batch_size", batch_size, 1)
    if prepare is not None:
        x = preparation.batches(prepare, x, y, sample_weight, batch_size=size)
        y = sample_weight = None
    if not _has_batches(x):
        return _of_arrays(x, y, sample_weight, size)
    fit_data.check_alone(x, y, sample_weight)
    if isinstance(x, keras.utils.PyDataset):
        return _of_python(x)
    if hasattr(x, "as_numpy_iterator"):
        number = int(x.cardinality())
        if number == -1:  # As `tf.data.INFINITE_CARDINALITY`.
            raise ValueError("`x` must end. Received an infinite data set")
        return Batches(x.as_numpy_iterator, number if number >= 0 else -1)

    def read() -> Iterator[Any]:
        for batch in x:
            yield fit_data.without_last_nones(tree.map_structure(_numpy, batch))

    return Batches(read, len(x))


def _has_batches(x: Any) -> bool:
    """Whether `x` is a collection of batches, and not arrays."""
    if isinstance(x, keras.utils.PyDataset) or hasattr(x, "as_numpy_iterator"):
        return True
    is_array = isinstance(x, (dict, list, tuple)) or hasattr(x, "shape")
    return not is_array and isinstance(x, Iterable) and hasattr(x, "__len__")


def _of_arrays(x: Any, y: Any, sample_weight: Any, batch_size: int) -> Batches:
    data = fit_data.arrays(x, y, sample_weight)
    size = next(a.shape[0] for a in tree.flatten(data) if a is not None)

    def read() -> Iterator[Any]:
        for start in range(0, size, batch_size):
            rows = slice(start, start + batch_size)
            yield tree.map_structure(
                lambda array, rows=rows: None if array is None else array[rows],
                data,
            )

    return Batches(read, math.ceil(size / batch_size))


def _numpy(value: Any) -> Any:
    if hasattr(value, "detach"):  # A tensor of PyTorch.
        value = value.detach().cpu()
    return None if value is None else np.asarray(value)


def _of_python(x: keras.utils.PyDataset) -> Batches:
    number = fit_data.length(x)

    def read() -> Iterator[Any]:
        for i in range(number):
            yield tree.map_structure(
                lambda v: None if v is None else rows_of.tensor(v),
                fit_data.without_last_nones(x[i]),
            )

    return Batches(read, number)
