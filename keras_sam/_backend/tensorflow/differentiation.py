"""Derivatives of functions of tensors."""

import tensorflow as tf


def gradients(function, tensors):
    """Returns (value, gradients) of a function of tensors.

    Args:
        function: Function of as many tensors, which returns a scalar.
        tensors: List of float tensors.

    Returns:
        The scalar; and a list of a gradient for each tensor, or None if the
        value does not depend on it.
    """
    tensors = [tf.identity(t) for t in tensors]  # One may occur twice.
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return value, tape.gradient(value, tensors)
