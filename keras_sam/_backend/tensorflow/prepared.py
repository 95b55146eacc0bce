"""Examples of a model that prepares its own data, in batches."""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import tree

_NAMES = ("x", "y", "sample_weight")


def has_batches(x: Any) -> bool:
    """Whether `x` is a data set of batches."""
    return isinstance(x, tf.data.Dataset)


def tensors(data: Any) -> Any:
    """Returns prepared data as tensors, None as it is."""
    return tree.map_structure(
        lambda value: None if value is None else tf.convert_to_tensor(value),
        data,
    )


def examples(x: Any, y: Any, sample_weight: Any) -> tf.data.Dataset:
    """Returns a data set of examples, dicts of what is not None."""
    data = dict(zip(_NAMES, (x, y, sample_weight), strict=True))
    try:
        return tf.data.Dataset.from_tensor_slices(
            {
                name: tree.map_structure(_array, value)
                for name, value in data.items()
                if value is not None
            }
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The data of a model that prepares its own data must be arrays, "
            "tensors or lists with an axis of examples, or a "
            "`tf.data.Dataset` of batches. Received "
            f"`x` of type {type(x).__name__}, with which TensorFlow fails: "
            f"{error}"
        ) from error


def split(
    examples: tf.data.Dataset, share: float
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Returns the first examples, and a share, which are the last."""
    number = int(examples.cardinality())
    first = math.floor(number * (1.0 - share))
    if not 0 < first < number:
        raise ValueError(
            "`validation_split` must leave examples to train on, and some to "
            f"validate on. Received: {share}, with {number} examples"
        )
    return examples.take(first), examples.skip(first)


def batched(
    examples: tf.data.Dataset, batch_size: int | None
) -> tf.data.Dataset:
    """Returns a data set of batches (x, y, sample_weight), some None."""
    batches = examples.batch(batch_size or 32)
    return batches.map(lambda given: tuple(map(given.get, _NAMES)))


def mapped(data: tf.data.Dataset, prepare: Callable) -> tf.data.Dataset:
    """Returns a data set whose batches are prepared."""
    data = data.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


def _array(value: Any) -> Any:
    if tf.is_tensor(value) or not hasattr(value, "__array__"):
        return value
    return keras.ops.convert_to_numpy(value)
