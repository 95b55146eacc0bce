"""The examples of a batch: the rows of all its tensors, along the first axis.

Tensors may be dense, ragged or sparse.
"""

import functools

import numpy as np
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import examples


def tensor(array):
    """Returns an array of SciPy as `tf.SparseTensor`, others as they are.

    What is neither an array nor a tensor becomes an array.
    """
    if tf.is_tensor(array):
        return array
    if not hasattr(array, "tocoo"):
        return np.asarray(array)
    array = array.tocoo()
    indices = np.stack([array.row, array.col], axis=1)
    return tf.sparse.reorder(tf.SparseTensor(indices, array.data, array.shape))


def floats_as(array, dtype):
    """Returns an array of floats in a dtype, others as they are."""
    if not tf.as_dtype(array.dtype).is_floating:
        return array
    return tf.cast(array, dtype)


def check(needs, batch):
    """Checks that all tensors of a batch have the examples as first axis.

    Where only TensorFlow's shapes at run time tell, the error is TensorFlow's.
    XLA leaves that one out.

    Args:
        needs: String, what needs the examples, to begin the message.
        batch: `Batch`.

    Raises:
        ValueError: If the static shapes differ in the first axis, or lack it.
    """
    tensors = examples.tensors(batch)
    error = examples.error(needs, described(examples.of(batch)))
    known = {static(t) for t in tensors} - {None}
    if len(known) > 1 or any(t.shape == () for t in tensors):
        raise error
    if any(static(t) is None for t in tensors):
        sizes = tf.stack([tf.cast(_size(t), "int32") for t in tensors])
        tf.debugging.assert_equal(sizes, sizes[0], str(error))


def size(batch):
    """Returns the number of examples, an int or else a scalar int32 tensor."""
    first = next(t for t in tree.flatten(batch.x) if t is not None)
    known = static(first)
    # The dynamic shape of a sparse tensor is int64.
    return tf.cast(_size(first), "int32") if known is None else known


def static(tensor):
    """Returns the number of rows, None if it is not known statically."""
    shape = tf.TensorShape(tensor.shape)
    return shape[0] if shape.rank else None


def rank(tensor):
    """Returns the number of axes, None if it is not known statically."""
    return tf.TensorShape(tensor.shape).rank


def fit(shape, other):
    """Whether two shapes may be the same."""
    return tf.TensorShape(shape).is_compatible_with(other)


def is_dense(tensor):
    """Whether a tensor is neither ragged nor sparse."""
    return isinstance(tensor, tf.Tensor)


def dense_parts(structure):
    """Returns (the float tensors, function that puts others in their place).

    A ragged tensor has its values, and ints as well, its row splits.
    """
    flat = tf.nest.flatten(structure, expand_composites=True)
    floats = [i for i, t in enumerate(flat) if t.dtype.is_floating]

    def packed(tensors):
        parts = list(flat)
        for i, part in zip(floats, tensors, strict=True):
            parts[i] = part
        result = tf.nest.pack_sequence_as(
            structure, parts, expand_composites=True
        )
        tree.map_structure_up_to(
            structure, _keras_internals.copy_mask, structure, result
        )
        return result

    return [flat[i] for i in floats], packed


def described(structure):
    """Returns the kinds, shapes and dtypes of tensors, in their structure."""

    def words(tensor):
        if tensor is None:
            return None
        kind = {tf.RaggedTensor: "ragged ", tf.SparseTensor: "sparse "}
        shape, dtype = tf.TensorShape(tensor.shape), tf.as_dtype(tensor.dtype)
        return f"{kind.get(type(tensor), '')}{shape} {dtype.name}"

    return tree.map_structure(words, structure)


def take(batch, indices):
    """Returns the `Batch` of the examples at the given indices."""
    select = functools.partial(_gathered, indices=indices)
    return examples.selected(batch, select)


def part(batch, start, stop):
    """Returns the `Batch` of the examples from `start` to before `stop`."""
    select = functools.partial(_sliced, start=start, stop=stop)
    return examples.selected(batch, select)


def first(structure, number):
    """Returns the first rows of all tensors of a structure."""
    select = functools.partial(_sliced, start=0, stop=number)
    return examples.rows(structure, select)


def concatenate(*tensors):
    """Returns the rows of several tensors, and of their masks, as one."""
    if isinstance(tensors[0], tf.SparseTensor):
        return tf.sparse.concat(0, list(tensors))
    return examples.joined(tensors, lambda parts: tf.concat(parts, 0))


def _size(tensor):
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.nrows()
    if isinstance(tensor, tf.SparseTensor):
        return tensor.dense_shape[0]
    return tf.shape(tensor)[0]


def _sliced(tensor, start, stop):
    if not isinstance(tensor, tf.SparseTensor):
        return tensor[start:stop]
    return _gathered(tensor, tf.range(start, stop))


def _gathered(tensor, indices):
    if not isinstance(tensor, tf.SparseTensor):
        return tf.gather(tensor, indices)
    tensor = tf.sparse.reorder(tensor)
    number = tensor.dense_shape[0]
    # The places of the elements of each row.
    places = tf.RaggedTensor.from_value_rowids(
        tf.range(tf.size(tensor.values)), tensor.indices[:, 0], number
    )
    found = tf.gather(places, indices)
    columns = tf.gather(tensor.indices[:, 1:], found.values)
    rows = tf.SparseTensor(
        tf.concat([found.value_rowids()[:, None], columns], 1),
        tf.gather(tensor.values, found.values),
        tf.concat([found.nrows()[None], tensor.dense_shape[1:]], 0),
    )
    rows.set_shape([None, *tensor.shape[1:]])
    return rows
