"""Checks of what a part returns, made while a step is traced.

A tensor of another shape may broadcast, and train something else without a
word. So a result must have the shapes and dtypes that its role says. A size
that is unknown until the step runs fits any size.
"""

import keras
from keras import ops
from keras import tree


def tensors(who, result, like, what="variable"):
    """Returns a result of a part as a list, if it is shaped like others.

    Args:
        who: String, the part and the argument that it was given as.
        result: What the part has returned.
        like: List of tensors, one for each variable.
        what: String, what the tensors of `like` belong to.

    Raises:
        ValueError: If the result is no list of such tensors.
    """
    number = len(like)
    if not isinstance(result, (list, tuple)) or len(result) != number:
        raise ValueError(
            f"{who} must return a list of {number} tensors, one for each "
            f"{what}. Received: {result!r}"
        )
    for index, (value, tensor) in enumerate(zip(result, like, strict=True)):
        if not _fits(value, tensor):
            raise ValueError(
                f"{who} must return tensors shaped like each {what}. Tensor "
                f"{index} (of 0 to {number - 1}) must be {_text(tensor)}. "
                f"Received: {_text(value)}"
            )
    return list(result)


def memory(who, result, before):
    """Returns a new memory, if it has the structure and shapes of the old one.

    Args:
        who: String, as for `tensors`.
        result: What the part has returned as its memory.
        before: The memory that the part was given.

    Raises:
        ValueError: If the memory differs in more than its values.
    """
    return _alike(who, result, before, "a memory", "`init`")


def carry(who, result, before):
    """Returns what a fold keeps, if it is shaped like what it has kept before.

    Args:
        who: String, as for `tensors`.
        result: What `visit` has returned.
        before: What `visit` was given.

    Raises:
        ValueError: If the two differ in more than their values.
    """
    return _alike(who, result, before, "what it keeps", "`start`")


def _alike(who, result, before, what, source):
    """Returns a structure of tensors, if it is shaped like another."""
    try:
        tree.assert_same_structure(before, result)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{who} must return {what} with the structure that {source} has "
            f"given it, {_structure(before)}. Received: {_structure(result)}"
        ) from error
    pairs = zip(tree.flatten(before), tree.flatten(result), strict=True)
    for index, (old, new) in enumerate(pairs):
        if not _fits(new, old):
            raise ValueError(
                f"{who} must return {what} shaped like the one from {source}. "
                f"Tensor {index} of it must be {_text(old)}. Received: "
                f"{_text(new)}"
            )
    return result


def scalar(who, result, what):
    """Returns a scalar, or raises ValueError that says what it must be."""
    if _shape(result) != ():
        raise ValueError(
            f"{who} must return {what}, a scalar. Received: {_text(result)}"
        )
    return result


def indices(who, result):
    """Returns indices as a tensor, or raises ValueError."""
    result = ops.convert_to_tensor(result)
    shape, whole = _shape(result), keras.backend.is_int_dtype(_dtype(result))
    if not whole or (shape is not None and len(shape) != 1):
        raise ValueError(
            f"{who} must return the indices of the chosen examples, integers "
            "along one axis. (`keras.ops.where(mask)[0]` has those of a mask "
            f"of bools.) Received: {_text(result)}"
        )
    return result


def _fits(value, tensor):
    """Whether a value has the shape and the dtype of a tensor."""
    shape, expected = _shape(value), _shape(tensor)
    if value is None or shape is None or expected is None:
        return value is not None  # A tensor of unknown rank.
    # A Python or NumPy number takes on the dtype of a tensor.
    typed = ops.is_tensor(value) and ops.is_tensor(tensor)
    alike = not typed or _dtype(value) == _dtype(tensor)
    return (
        alike
        and len(shape) == len(expected)
        and all(
            a == b or a is None or b is None
            for a, b in zip(shape, expected, strict=True)
        )
    )


def _shape(value):
    """Returns the static shape as a tuple, or None if the rank is unknown."""
    shape = getattr(value, "shape", ())
    unknown = shape is None or getattr(shape, "rank", 0) is None
    return None if unknown else tuple(shape)


def _dtype(value):
    return keras.backend.standardize_dtype(value.dtype)


def _text(value):
    if not hasattr(value, "dtype"):
        return repr(value)
    shape = _shape(value)
    return f"of shape {'unknown' if shape is None else shape}, {_dtype(value)}"


def _structure(memory):
    return repr(tree.map_structure(_text, memory))
