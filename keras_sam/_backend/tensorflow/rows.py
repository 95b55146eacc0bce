"""Gradients of embeddings as `tf.IndexedSlices`: the rows that a batch uses.

An index may occur more than once. The rows of the index then add up. A linear
function may leave them apart. Any other function needs `aligned`.
"""

import tensorflow as tf

_SMALL = 1 << 20


def sliced(x):
    """Whether `x` is `tf.IndexedSlices`, not a tensor."""
    return isinstance(x, tf.IndexedSlices)


def each(function, x):
    """Applies an elementwise function to the elements that `x` holds.

    Args:
        function: Function that takes and returns a tensor.
        x: Tensor or `tf.IndexedSlices`.
    """
    if not sliced(x):
        return function(x)
    return tf.IndexedSlices(function(x.values), x.indices, x.dense_shape)


def values(x):
    """Returns the elements that `x` holds, a tensor."""
    return x.values if sliced(x) else x


def zeros(x):
    """Returns zeros like `x`, in the same rows."""
    return each(tf.zeros_like, x)


def half_squared_norm(x):
    """Returns half the sum of squares, without a tensor of squares."""
    return tf.nn.l2_loss(x)


def like(x, tensor):
    """Returns `x`. Slices get the static shape of `tensor`."""
    if not sliced(x):
        return x
    return tf.IndexedSlices(x.values, x.indices, tf.shape(tensor))


def add(x, y):
    """Returns `x + y`, as slices if both are slices.

    If `x` begins with the indices of `y`, as gradients of one batch do, the
    rows at the same place are added. The rows of an index that occurs at
    several places then stay apart. Otherwise all rows of an index are added up.
    """
    if not sliced(y):
        return x + y
    if not sliced(x):
        return tf.tensor_scatter_nd_add(x, y.indices[:, None], y.values)
    indices = tf.concat([x.indices, y.indices], 0)
    number = y.indices.shape[0] or tf.size(y.indices)

    def placewise():
        # XLA needs as many rows as in `merged`, so the last ones are zeros.
        total = x.values[:number] + y.values
        zeros = tf.zeros_like(y.values)
        return tf.concat([total, x.values[number:], zeros], 0), indices

    def merged():
        places, size = _places(indices), tf.size(indices)
        found = tf.math.unsorted_segment_max(indices, places, size)
        values = tf.concat([x.values, y.values], 0)
        total = tf.math.unsorted_segment_sum(values, places, size)
        # A place without an index has a row of zeros, so any index will do.
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
    """Returns `x` and `y` as tensors with the same elements at the same places.

    Two large slices give tensors with one row for each index of either of them.
    All elements that these tensors leave out are 0 in both.
    """
    if sliced(x) and sliced(y) and not _small(x):
        return _rows(x) * 2 if x is y else _rows(x, y)
    return [tf.convert_to_tensor(t) if sliced(t) else t for t in (x, y)]


def _small(x):
    # A small table costs less, as a dense tensor, than sorting the ids.
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
    """Returns a place for each index, an int below the number of indices.

    Equal indices have the same place. `tf.unique` also returns places, but XLA
    cannot know the shape of its result.
    """
    order = tf.argsort(indices)
    ordered = tf.gather(indices, order)
    before = tf.concat([ordered[:1], ordered[:-1]], 0)
    numbers = tf.cumsum(tf.cast(ordered != before, "int32"))
    return tf.scatter_nd(order[:, None], numbers, tf.shape(indices))
