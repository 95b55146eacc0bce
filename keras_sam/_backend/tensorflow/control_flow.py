"""Conditionals, loops and tracing."""

import tensorflow as tf


def cond(predicate, true, false):
    """Calls one of two functions; returns its result.

    Args:
        predicate: Bool or scalar bool tensor.
        true, false: Functions without arguments. Both must return tensors in
            the same structure.
    """
    if isinstance(predicate, bool) or tf.executing_eagerly():
        return true() if predicate else false()
    return tf.cond(predicate, true, false)


def traced(function):
    """Returns a function that is traced only once within a graph.

    Its arguments and results must be nested structures of tensors. Eagerly the
    function stays as it is.
    """
    if tf.executing_eagerly():
        return function
    return tf.function(function, autograph=False)


def each(function, numbers):
    """Applies a function to each of some numbers, one after the other.

    The function must return a scalar of the same dtype. (Keras's `ops.map`
    would call it once more, to learn the dtype. After an error within
    `tf.map_fn` in a graph, no strategy can be entered any more.)
    """
    size = tf.size(numbers)
    _, results = tf.while_loop(
        lambda i, _: i < size,
        lambda i, results: (i + 1, results.write(i, function(numbers[i]))),
        (0, tf.TensorArray(numbers.dtype, size, element_shape=[])),
        maximum_iterations=size,
    )
    return results.stack()


def loops():
    """Returns False: a loop over passes of a model is far slower under XLA."""
    return False


def loop(number, body, carry):
    """Returns None: unroll, see `loops`."""
    del number, body, carry


def outline(function, variables):
    """Returns what a function of tensors returns, for zeros.

    Its shapes and dtypes are what counts.

    Args:
        function: Function from a list of tensors to a structure of tensors.
        variables: List of Keras variables, whose shapes the tensors have.
    """
    with tf.init_scope():  # Tensors have values, even while tracing.
        return function([tf.zeros(v.shape, v.dtype) for v in variables])
