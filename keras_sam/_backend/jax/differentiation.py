"""Derivatives of functions of tensors."""

import jax


def gradients(function, tensors):
    """Returns (value, gradients) of a function of tensors.

    Args:
        function: Function of as many tensors, which returns a scalar.
        tensors: List of float tensors.

    Returns:
        The scalar; and a list of a gradient for each tensor, or None if the
        value does not depend on it.
    """
    reached = set()

    def marked(*tensors):
        return function(
            *(_marked(i, reached, tensor) for i, tensor in enumerate(tensors))
        )

    value, grads = jax.value_and_grad(marked, tuple(range(len(tensors))))(
        *tensors
    )
    return value, [g if i in reached else None for i, g in enumerate(grads)]


def _marked(index, reached, tensor):
    """Returns a tensor that notes its index when a gradient flows back.

    JAX has zeros for the gradient of what a value does not depend on. It does
    not call the gradient of a function there.
    """

    @jax.custom_vjp
    def same(tensor):
        return tensor

    def forward(tensor):
        return tensor, None

    def backward(_, change):
        reached.add(index)
        return (change,)

    same.defvjp(forward, backward)
    return same(tensor)
