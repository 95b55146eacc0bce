"""Conditionals, loops and tracing."""

import tensorflow as tf


def cond(predicate, true, false):
    """Returns what one of two functions returns.

    Args:
        predicate: Bool or scalar bool tensor.
        true, false: Functions without arguments that return like structures
            of tensors.
    """
    if isinstance(predicate, bool) or tf.executing_eagerly():
        return true() if predicate else false()
    return tf.cond(predicate, true, false)


def traced(function):
    """Returns a function that is traced once, where a graph is made.

    Its arguments and results are nested structures of tensors.
    """
    if tf.executing_eagerly():
        return function
    return tf.function(function, autograph=False)


def each(function, numbers):
    """Returns what a function makes of each of some numbers, one by one.

    It returns scalars of their dtype. (Keras's `ops.map` calls the function
    once more, to learn of that.)
    """
    return tf.map_fn(function, numbers)


def outside_graphs():
    """Returns a context in which tensors have values, even while tracing."""
    return tf.init_scope()
