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


def outside_graphs():
    """Returns a context in which tensors have values, even while tracing."""
    return jax.ensure_compile_time_eval()
