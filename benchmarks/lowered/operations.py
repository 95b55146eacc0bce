"""The operations of a step, counted in JAX's own program, before a compiler."""

import collections
import math

PRODUCTS = ("dot_general", "conv_general_dilated")


def count(jaxpr):
    """Counts the multiplications and additions of products and convolutions.

    All else is a few operations a number, and bound by memory. An operation in
    a loop counts as often as the loop runs. Of the branches of a conditional
    the largest counts. What no result needs counts as nothing: compilers leave
    it out.

    Args:
        jaxpr: Jaxpr, closed or not.

    Returns:
        `collections.Counter` from the names of `PRODUCTS` to numbers.

    Raises:
        ValueError: If a loop has no fixed length.
    """
    total = collections.Counter()
    for equation in _needed(getattr(jaxpr, "jaxpr", jaxpr)):
        name = equation.primitive.name
        if name in PRODUCTS:
            total[name] += _FLOPS[name](equation)
        inner = [count(j) for j in _programs(equation.params)]
        if name == "cond":
            total += max(inner, key=lambda found: found.total())
        elif name == "while" and any(found.total() for found in inner):
            raise ValueError(
                "A loop with products must have a fixed length. Received: "
                f"{equation}"
            )
        else:
            times = _times(equation)
            for found in inner:
                for key, number in found.items():
                    total[key] += times * number
    return total


def _needed(jaxpr):
    """Returns the equations that the results of a program need."""
    needed, found = {id(v) for v in jaxpr.outvars}, []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or needed & {id(v) for v in equation.outvars}:
            found.append(equation)
            needed |= {id(v) for v in equation.invars}
    return found


def _times(equation):
    """Returns how often a program in an equation runs, over all devices."""
    if equation.primitive.name == "scan":
        return equation.params["length"]
    if equation.primitive.name == "shard_map":
        # Its program is the program of one device.
        return equation.params["mesh"].size
    return 1


def _programs(parameters):
    """Returns the programs among the parameters of an equation."""
    found = []
    for value in parameters.values():
        several = value if isinstance(value, list | tuple) else [value]
        found += [v for v in several if hasattr(getattr(v, "jaxpr", v), "eqns")]
    return found


def _of_dot(equation):
    left = equation.invars[0].aval.shape
    (contracted, _), _ = equation.params["dimension_numbers"]
    depth = math.prod(left[i] for i in contracted)
    return 2 * depth * math.prod(equation.outvars[0].aval.shape)


def _of_convolution(equation):
    kernel = equation.invars[1].aval.shape
    numbers = equation.params["dimension_numbers"].rhs_spec
    # (output features, input features, *spatial) of the kernel.
    places = math.prod(kernel) // kernel[numbers[0]]
    return 2 * places * math.prod(equation.outvars[0].aval.shape)


_FLOPS = {"dot_general": _of_dot, "conv_general_dilated": _of_convolution}
