"""Data in the forms that `fit` takes."""

from typing import Any

import keras
from keras import tree

from keras_sam._backend import batches


def arrays(x: Any, y: Any, sample_weight: Any) -> Any:
    """Returns (x, y, sample_weight) as arrays, without None at the end.

    Arrays of floats are cast to `keras.config.floatx()`. Lists become tuples:
    TensorFlow takes a list of arrays for one array.

    Raises:
        TypeError: If something is no array.
        ValueError: If there are no examples, or not equally many.
    """
    data = _arrays(without_last_nones((x, y, sample_weight)))
    sizes = {a.shape[0] for a in tree.flatten(data) if a is not None}
    if len(sizes) > 1:
        raise ValueError(
            "`x`, `y` and `sample_weight` must hold equally many examples. "
            f"Received: {sorted(sizes)}"
        )
    if not sizes or 0 in sizes:
        raise ValueError("There must be data. Received no example")
    return data


def without_last_nones(batch: Any) -> Any:
    """Returns a batch up to the last part that is not None.

    What is no list or tuple stays as it is.
    """
    if not isinstance(batch, (list, tuple)):
        return batch
    data = tuple(batch)
    while data[-1] is None and len(data) > 1:
        data = data[:-1]
    return data


def check_alone(x: Any, y: Any, sample_weight: Any) -> None:
    """Checks that `x` alone is given: it holds batches.

    Raises:
        ValueError: If there are targets or sample weights beside it.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` must be None if `x` holds them. Received "
            f"them, and `x` of type {type(x).__name__}"
        )


def length(x: keras.utils.PyDataset) -> int:
    """Returns the number of batches of a data set, which is at least 1.

    Raises:
        ValueError: If the data set is empty or infinite.
    """
    number = x.num_batches
    if number is None:
        raise ValueError("`x` must end. Received an infinite PyDataset")
    if number == 0:
        raise ValueError("There must be data. Received a PyDataset of length 0")
    return number


def _arrays(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _arrays(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return tuple(_arrays(value) for value in data)
    if data is None:
        return None
    if not len(getattr(data, "shape", ())):
        raise TypeError(
            "The data must be arrays, a `tf.data.Dataset` of batches or a "
            f"`keras.utils.PyDataset`. Received: {data!r}"
        )
    return batches.floats_as(batches.tensor(data), keras.config.floatx())
