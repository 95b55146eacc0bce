"""Gradients of embeddings as `tf.IndexedSlices`: the rows that a batch uses.

An index may occur more than once: its rows then add up. What is linear may
leave them as they are; what is not needs `aligned`.
"""

import tensorflow as tf
from keras import tree

_SMALL = 1 << 20


def sliced(x):
    """Whether `x` is such slices, not a tensor."""
    return isinstance(x, tf.IndexedSlices)


def each(function, x):
    """Returns what a function of single elements makes of those that are there.

    Args:
        function: Function of a tensor.
        x: Tensor or slices.
    """
    if not sliced(x):
        return function(x)
    return tf.IndexedSlices(function(x.values), x.indices, x.dense_shape)


def values(x):
    """Returns the elements that are there, a tensor."""
    return x.values if sliced(x) else x


def take(structure, indices):
    """Returns the rows of the given indices of all tensors of a structure."""
    return tree.map_structure(
        lambda t: None if t is None else tf.gather(t, indices), structure
    )


def half_squared_norm(x):
    """Returns a half of the sum of squares, without a tensor of squares."""
    return tf.nn.l2_loss(x)


def like(x, tensor):
    """Returns `x`, with the static shape of a tensor where it is slices."""
    if not sliced(x):
        return x
    return tf.IndexedSlices(x.values, x.indices, tf.shape(tensor))


def add(x, y):
    """Returns `x + y`: slices if both are.

    The rows of an index are added up, but for those that `x` and `y` have in
    the same places, as gradients of one batch do: these stay apart.
    """
    if not sliced(y):
        return x + y
    if not sliced(x):
        return tf.tensor_scatter_nd_add(x, y.indices[:, None], y.values)
    indices = tf.concat([x.indices, y.indices], 0)
    number = y.indices.shape[0] or tf.size(y.indices)

    def placewise():
        # As many as in `merged`, for XLA: the others are zeros.
        total = x.values[:number] + y.values
        zeros = tf.zeros_like(y.values)
        return tf.concat([total, x.values[number:], zeros], 0), indices

    def merged():
        places, size = _places(indices), tf.size(indices)
        found = tf.math.unsorted_segment_max(indices, places, size)
        values = tf.concat([x.values, y.values], 0)
        total = tf.math.unsorted_segment_sum(values, places, size)
        # Places without an index have rows of zeros, so any index will do.
        return total, tf.maximum(found, 0)

    first = x.indices[:number]
    if not first.shape.is_compatible_with(y.indices.shape):
        values, indices = merged()
    else:
        values, indices = tf.cond(_same(first, y.indices), placewise, merged)
    return tf.IndexedSlices(values, indices, x.dense_shape)


def subtract(x, y):
    """Returns `x - y`, see `add`."""
    if sliced(x) or sliced(y):
        return add(x, each(tf.negative, y))
    return x - y


def _same(x, y):
    size = tf.minimum(tf.size(x), tf.size(y))
    equal = tf.reduce_all(x[:size] == y[:size])
    return equal & (tf.size(x) == tf.size(y))


def aligned(x, y):
    """Returns two tensors whose elements belong together, one by one.

    Of slices, they hold each index once, and all that is not 0.
    """
    if sliced(x) and sliced(y) and not _small(x):
        return _rows(x) * 2 if x is y else _rows(x, y)
    return [tf.convert_to_tensor(t) if sliced(t) else t for t in (x, y)]


def _small(x):
    # Such a table costs less, as a whole, than to sort the ids of a batch.
    elements = x.shape.num_elements()
    return elements is not None and elements < _SMALL


def _rows(*several):
    indices = tf.concat([x.indices for x in several], 0)
    places = tf.split(_places(indices), [tf.size(x.indices) for x in several])
    return [
        tf.math.unsorted_segment_sum(x.values, place, tf.size(indices))
        for x, place in zip(several, places, strict=True)
    ]


def _places(indices):
    """Returns a number for each index, less than how many there are.

    `tf.unique` would, but its result has no shape that XLA could know.
    """
    order = tf.argsort(indices)
    ordered = tf.gather(indices, order)
    before = tf.concat([ordered[:1], ordered[:-1]], 0)
    numbers = tf.cumsum(tf.cast(ordered != before, "int32"))
    return tf.scatter_nd(order[:, None], numbers, tf.shape(indices))
