"""Gradients of embeddings as `tf.IndexedSlices`: the rows that a batch uses.

An index may occur more than once: its rows then add up. What is linear may
leave them as they are; what is not needs `aligned`.
"""

import tensorflow as tf


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


def add(x, y):
    """Returns `x + y`: slices if both are, without an index twice."""
    if not sliced(y):
        return x + y
    if not sliced(x):
        return tf.tensor_scatter_nd_add(x, y.indices[:, None], y.values)
    indices = tf.concat([x.indices, y.indices], 0)
    places = _places(indices)
    number = tf.size(indices)
    found = tf.math.unsorted_segment_max(indices, places, number)
    total = tf.math.unsorted_segment_sum(
        tf.concat([x.values, y.values], 0), places, number
    )
    # The places that are left over hold rows of zeros; any index will do.
    return tf.IndexedSlices(total, tf.maximum(found, 0), x.dense_shape)


def aligned(x, y):
    """Returns two tensors whose elements belong together, one by one.

    Of slices, they hold each index once, and all that is not 0.
    """
    if x is y and sliced(x):
        (found,) = _rows(x)
        return found, found
    if sliced(x) and sliced(y):
        return _rows(x, y)
    return tf.convert_to_tensor(x), tf.convert_to_tensor(y)


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
