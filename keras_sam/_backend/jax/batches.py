"""The examples of a batch: the rows of all its tensors, along the first axis.

Shapes are known while JAX traces a function, so sizes are ints.
"""

import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental import sparse
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import examples


def tensor(array):
    """Returns an array of SciPy as a sparse tensor of JAX, others as arrays."""
    if hasattr(array, "tocoo"):
        return sparse.BCOO.from_scipy_sparse(array)
    return array if keras.ops.is_tensor(array) else np.asarray(array)


def floats_as(array, dtype):
    """Returns an array of floats in a dtype, others as they are."""
    if not keras.backend.is_float_dtype(array.dtype):
        return array
    return array.astype(dtype)


def check(needs, batch):
    """Checks that all tensors of a batch have the examples as first axis.

    Args:
        needs: String, what needs the examples, to begin the message.
        batch: `Batch`.

    Raises:
        ValueError: If the shapes differ in the first axis, or lack it, or if a
            tensor is sparse.
    """
    tensors = examples.tensors(batch)
    sizes = {static(t) for t in tensors}
    if len(sizes) > 1 or None in sizes:
        raise examples.error(needs, described(examples.of(batch)))
    if not all(map(is_dense, tensors)):
        raise ValueError(
            f"{needs} needs dense tensors on the JAX backend. Make sparse "
            "inputs dense, or train on the TensorFlow backend. Received: "
            f"{described(examples.of(batch))}"
        )


def size(batch):
    """Returns the number of examples, an int."""
    first = next(t for t in tree.flatten(batch.x) if t is not None)
    return first.shape[0]


def static(tensor):
    """Returns the number of rows, None if there is no first axis."""
    return tensor.shape[0] if tensor.shape else None


def rank(tensor):
    """Returns the number of axes."""
    return len(tensor.shape)


def fit(shape, other):
    """Whether two shapes are the same."""
    return tuple(shape) == tuple(other)


def is_dense(tensor):
    """Whether a tensor is not sparse."""
    return not isinstance(tensor, sparse.JAXSparse)


def dense_parts(structure):
    """Returns (the float tensors, function that puts others in their place)."""
    flat = tree.flatten(structure)
    floats = [
        i for i, t in enumerate(flat) if keras.backend.is_float_dtype(t.dtype)
    ]

    def packed(tensors):
        parts = list(flat)
        for i, part in zip(floats, tensors, strict=True):
            parts[i] = part
            _keras_internals.copy_mask(flat[i], part)
        return tree.pack_sequence_as(structure, parts)

    return [flat[i] for i in floats], packed


def described(structure):
    """Returns the kinds, shapes and dtypes of tensors, in their structure."""

    def words(tensor):
        if tensor is None:
            return None
        kind = "" if is_dense(tensor) else "sparse "
        return f"{kind}{tuple(tensor.shape)} {tensor.dtype}"

    return tree.map_structure(words, structure)


def take(batch, indices):
    """Returns the `Batch` of the examples at the given indices."""
    indices = jnp.asarray(indices)
    return examples.selected(batch, lambda t: jnp.take(t, indices, 0))


def part(batch, start, stop):
    """Returns the `Batch` of the examples from `start` to before `stop`."""
    return examples.selected(batch, lambda t: t[start:stop])


def first(structure, number):
    """Returns the first rows of all tensors of a structure."""
    return examples.rows(structure, lambda t: t[:number])


def concatenate(*tensors):
    """Returns the rows of several tensors, and of their masks, as one."""
    return examples.joined(tensors, lambda parts: jnp.concatenate(parts, 0))
