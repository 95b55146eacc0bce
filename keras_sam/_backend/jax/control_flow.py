"""Conditionals, loops and tracing."""

import jax
import jax.numpy as jnp


def cond(predicate, true, false):
    """Calls one of two functions; returns its result.

    Args:
        predicate: Bool or scalar bool tensor.
        true, false: Functions without arguments. Both must return tensors in
            the same structure.
    """
    if isinstance(predicate, jax.core.Tracer):
        return jax.lax.cond(predicate, true, false)
    return true() if predicate else false()


def traced(function):
    """Returns the function: JAX traces the operations of all its calls."""
    return function


def each(function, numbers):
    """Applies a function to each of some numbers, one after the other.

    The function must return a scalar of the same dtype. Outside of a train
    step it may need the values of its results.
    """
    first = function(numbers[0])
    if isinstance(first, jax.core.Tracer):
        return jax.lax.map(function, numbers)
    return jnp.stack([first, *map(function, numbers[1:])])


def loops():
    """Whether a loop over passes of a model is as fast as the passes are.

    It is, but on a CPU: convolutions in a loop take twelve times longer there.
    """
    device = jax.config.jax_default_device or jax.local_devices()[0]
    return getattr(device, "platform", device) != "cpu"


def loop(number, body, carry):
    """Calls `carry = body(i, carry)` for i = 0, ..., `number` - 1.

    Args:
        number: Int.
        body: Function of a scalar int tensor and a carry. It returns a carry of
            the same structure, with tensors of the same shapes and dtypes.
        carry: Structure of tensors and numbers.

    Returns:
        The last carry; or None, without a call, where the calls must be
        unrolled: if there is but one, if nothing is compiled, or where loops
        are slow.
    """
    leaves = jax.tree.leaves(carry)
    compiled = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    if number < 2 or not compiled or not loops():
        return None

    def step(i, carry):
        # A number takes on the dtype of the tensor that it replaces.
        return jax.tree.map(
            lambda new, old: jnp.asarray(new, old.dtype), body(i, carry), carry
        )

    return jax.lax.fori_loop(0, number, step, jax.tree.map(jnp.asarray, carry))


def outline(function, variables):
    """Returns what a function of tensors returns, in shapes and dtypes alone.

    Nothing is computed, and no device holds anything.

    Args:
        function: Function from a list of tensors to a structure of tensors.
        variables: List of Keras variables, whose shapes the tensors have.
    """
    return jax.eval_shape(
        function,
        [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables],
    )
