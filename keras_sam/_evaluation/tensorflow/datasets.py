"""Data in the forms that `fit` takes, as batches to be read many times."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _validation
from keras_sam._backend.tensorflow import batches as rows_of
from keras_sam._evaluation import fit_data
from keras_sam._evaluation import preparation


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int = 128,
    prepare: Callable | None = None,
) -> tf.data.Dataset:
    """Returns data as a `tf.data.Dataset` of batches, in their order.

    Args:
        x: Arrays or tensors in any nested structure, ragged and sparse ones
            too, also of SciPy; or a `tf.data.Dataset` of batches, or a
            `keras.utils.PyDataset`. Arrays of floats are cast to
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
    if not isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)):
        return _of_arrays(x, y, sample_weight, size)
    fit_data.check_alone(x, y, sample_weight)
    if isinstance(x, keras.utils.PyDataset):
        x = _of_python(x)
    if x.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`x` must end. Received an infinite data set")
    return x


def _of_arrays(
    x: Any, y: Any, sample_weight: Any, batch_size: int
) -> tf.data.Dataset:
    data = fit_data.arrays(x, y, sample_weight)
    # A data set cannot hold None, for example targets that are None although
    # there are sample weights.
    flat = tree.flatten(data)
    components = tuple(array for array in flat if array is not None)

    def pack(*examples: Any) -> Any:
        rest = iter(examples)
        return tree.pack_sequence_as(
            data, [None if item is None else next(rest) for item in flat]
        )

    slices = tf.data.Dataset.from_tensor_slices(components)
    return slices.batch(batch_size).map(pack)


def _of_python(x: keras.utils.PyDataset) -> tf.data.Dataset:
    number = fit_data.length(x)

    def read() -> Iterator[Any]:
        for i in range(number):
            batch = fit_data.without_last_nones(x[i])
            yield tree.map_structure(rows_of.tensor, batch)

    signature = tree.map_structure(_spec, next(read()))
    data = tf.data.Dataset.from_generator(read, output_signature=signature)
    return data.apply(tf.data.experimental.assert_cardinality(number))


def _spec(array: Any) -> tf.TypeSpec:
    """Returns what an array has in common with those of other batches."""
    shape = [None] * len(array.shape)
    if isinstance(array, tf.SparseTensor):
        return tf.SparseTensorSpec(shape, array.dtype)
    if isinstance(array, tf.RaggedTensor):
        return tf.RaggedTensorSpec(
            shape, array.dtype, array.ragged_rank, array.row_splits.dtype
        )
    return tf.TensorSpec(shape, array.dtype)
