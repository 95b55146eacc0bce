"""Examples of a model that prepares its own data, in batches."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import tree

_NAMES = ("x", "y", "sample_weight")


class _Batches(keras.utils.PyDataset):
    """Batches of examples, in their order.

    Args:
        examples: Structure of arrays of equal length, a dict of what `fit`
            takes.
        batch_size: Int.
        prepare: Function of x, y and sample_weight, or None.
    """

    def __init__(self, examples: Any, batch_size: int, prepare: Any) -> None:
        super().__init__()
        self.examples, self.batch_size = examples, batch_size
        self._prepare = prepare

    def __len__(self) -> int:
        return math.ceil(_number(self.examples) / self.batch_size)

    def __getitem__(self, index: int) -> Any:
        start = index * self.batch_size
        rows = slice(start, start + self.batch_size)
        given = tree.map_structure(lambda array: array[rows], self.examples)
        batch = tuple(map(given.get, _NAMES))
        return batch if self._prepare is None else self._prepare(*batch)


class _Mapped(keras.utils.PyDataset):
    """The batches of a data set, prepared, in their order.

    Args:
        read: Function that returns an iterator over batches.
        number: Int, the number of batches.
        prepare: Function of x, y and sample_weight.
    """

    def __init__(self, read: Callable, number: int, prepare: Callable) -> None:
        super().__init__()
        self._read, self._number, self._prepare = read, number, prepare
        self._iterator, self._next = read(), 0

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: int) -> Any:
        if index < self._next:
            self._iterator, self._next = self._read(), 0
        for _ in range(index - self._next):
            next(self._iterator)
        self._next = index + 1
        batch = keras.utils.unpack_x_y_sample_weight(next(self._iterator))
        return self._prepare(*batch)


def has_batches(x: Any) -> bool:
    """Whether `x` is a data set of batches."""
    dataset = isinstance(x, keras.utils.PyDataset)
    return dataset or hasattr(x, "as_numpy_iterator")


def tensors(data: Any) -> Any:
    """Returns prepared data as tensors, None as it is."""
    return tree.map_structure(
        lambda v: None if v is None else keras.ops.convert_to_tensor(v), data
    )


def examples(x: Any, y: Any, sample_weight: Any) -> Any:
    """Returns examples, a dict of what is not None."""
    data = dict(zip(_NAMES, (x, y, sample_weight), strict=True))
    arrays = {
        name: _arrays(value)
        for name, value in data.items()
        if value is not None
    }
    sizes = {a.shape[:1] for a in tree.flatten(arrays)}
    if len(sizes) != 1 or () in sizes:
        raise ValueError(
            "The data of a model that prepares its own data must be arrays, "
            "tensors or lists with an axis of examples, or a "
            "`tf.data.Dataset` of batches. Received `x` of type "
            f"{type(x).__name__}, with axes of {sorted(sizes)}"
        )
    return arrays


def split(examples: Any, share: float) -> tuple[Any, Any]:
    """Returns the first examples, and a share, which are the last."""
    number = _number(examples)
    first = math.floor(number * (1.0 - share))
    if not 0 < first < number:
        raise ValueError(
            "`validation_split` must leave examples to train on, and some to "
            f"validate on. Received: {share}, with {number} examples"
        )
    return (
        tree.map_structure(lambda array: array[:first], examples),
        tree.map_structure(lambda array: array[first:], examples),
    )


def batched(examples: Any, batch_size: int | None) -> keras.utils.PyDataset:
    """Returns a data set of batches (x, y, sample_weight), some None."""
    return _Batches(examples, batch_size or 32, None)


def mapped(data: Any, prepare: Callable) -> keras.utils.PyDataset:
    """Returns a data set whose batches are prepared."""
    if isinstance(data, _Batches):
        return _Batches(data.examples, data.batch_size, prepare)
    if isinstance(data, keras.utils.PyDataset):
        return _Mapped(
            lambda: (data[i] for i in range(len(data))), len(data), prepare
        )
    return _Mapped(data.as_numpy_iterator, int(data.cardinality()), prepare)


def _number(examples: Any) -> int:
    return tree.flatten(examples)[0].shape[0]


def _arrays(value: Any) -> Any:
    """Returns a structure of arrays. A list is an array, not a structure."""
    if isinstance(value, dict):
        return {key: _arrays(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(map(_arrays, value))
    return np.asarray(value)
