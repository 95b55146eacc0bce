"""What the parts of a method have in common: config, memory, context.

A part is any callable. What it is called with and returns depends on its role:

    direction(grads, params) -> step                     directions.py
    descent(clean, path) -> grads                        descents.py
    cadence(clean) -> climbs                             cadences.py
    start(params) -> step                                starts.py
    samples(clean_losses, losses) -> indices             samples.py

A part that remembers something from step to step says so with a method `init`
and then takes its memory last and returns it last:

    init(params) -> memory
    direction(grads, params, memory) -> (step, memory)

`memory` is any nested structure of tensors. The model holds it as
non-trainable weights: it is saved, restored and, over replicas and splits of a
batch, averaged (float tensors; others must not depend on the data).

A part that needs more than that takes a keyword argument `context`, the
`context.Context` of the step: its number, random draws, the gradient or the
loss elsewhere.

A part that does not go with every argument of the wrapper has a method
`check(arguments)` that raises a ValueError.

Gradients are dense, unless all parts of a wrapper say with an attribute
`takes_slices = True` that those of embeddings may be `tf.IndexedSlices`, on
which work `add`, `subtract`, `scale`, `dot`, `norm` and `unit` of `vectors.py`.
"""

import inspect

import keras


class Part:
    """Base of frozen dataclasses whose fields are their Keras config.

    Subclasses are saved with the model once they are registered with
    `keras.saving.register_keras_serializable`.
    """

    def get_config(self):
        """Returns the fields, serialized."""
        return {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in self.__dataclass_fields__
        }

    @classmethod
    def from_config(cls, config):
        """Returns the part with the given serialized fields."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )


def takes_slices(part):
    """Whether gradients that a part sees may be `tf.IndexedSlices`.

    Subclasses say so themselves: what they override may not take them.
    """
    return vars(type(part)).get("takes_slices", False)


def is_own(part):
    """Whether a part is of this library, so without state in Python."""
    return type(part).__module__.startswith("keras_sam.")


def init(part, params):
    """Returns the first memory of a part; `()` for a stateless one."""
    return part.init(params) if hasattr(part, "init") else ()


def asks_for_context(part):
    """Returns whether a part takes the keyword argument `context`."""
    try:
        return "context" in inspect.signature(part).parameters
    except ValueError:  # A builtin without a signature.
        return False


def call(part, *arguments, memory, context):
    """Calls a part, whether or not it has a memory or asks for context.

    Args:
        part: Any part.
        *arguments: Its arguments, without the memory.
        memory: Its memory.
        context: `context.Context`.

    Returns:
        (result, memory).

    Raises:
        ValueError: If a part with a memory does not return it.
    """
    keywords = {"context": context} if asks_for_context(part) else {}
    if not hasattr(part, "init"):
        return part(*arguments, **keywords), memory
    result = part(*arguments, memory, **keywords)
    if not isinstance(result, tuple) or len(result) != 2:
        raise ValueError(
            f"{part!r} has `init`, so it must return its result and its "
            f"memory. Received: {result!r}"
        )
    return result


def tensors(part, result, number):
    """Returns what a part has returned, if it is a list of so many tensors.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(result, (list, tuple)) or len(result) != number:
        raise ValueError(
            f"{part!r} must return a list of {number} tensors, one for each "
            f"variable. Received: {result!r}"
        )
    return list(result)


def flag(part, result):
    """Returns what a part has returned, if it is a bool or a tensor of one.

    Raises:
        ValueError: If it is not.
    """
    scalar = getattr(result, "shape", None) == () and result.dtype == "bool"
    if not isinstance(result, bool) and not scalar:
        raise ValueError(
            f"{part!r} must return a bool or a scalar bool tensor. "
            f"Received: {result!r}"
        )
    return result


def last(clean, path):
    """Returns the last point of the path, or the clean one of an empty path."""
    end = clean
    for end in path:  # noqa: B007
        pass
    return end


# The arguments that are parts, and the module of `keras_sam` to look for them.
PARTS = {
    "direction": "directions",
    "descent": "descents",
    "cadence": "cadences",
    "start": "starts",
    "ascent_samples": "samples",
    "descent_samples": "samples",
}


OPTIONAL = ("start", "ascent_samples", "descent_samples")


def part(name, value):
    """Returns a part of the given role."""
    if value is None and name in OPTIONAL:
        return None
    if isinstance(value, type) or not callable(value):
        raise TypeError(
            f"`{name}` must be an instance from `keras_sam.{PARTS[name]}`, or "
            f"another callable. Received: {value!r}"
        )
    if PARTS[name] == "samples" and hasattr(value, "init"):
        raise ValueError(f"`{name}` must have no memory. Received: {value!r}")
    return value


def decoupled(descent):
    """Whether a descent also moves the weights past the optimizer."""
    return getattr(descent, "decoupled", False)


def split(descent, result, clean):
    """Returns the (grads, correction) that a descent has returned.

    Raises:
        ValueError: If it has returned something else.
    """
    number = len(clean.grads)
    if not decoupled(descent):
        return tensors(descent, result, number), []
    if not isinstance(result, tuple) or len(result) != 2:
        raise ValueError(
            f"{descent!r} is decoupled, so it must return a pair of lists. "
            f"Received: {result!r}"
        )
    return tuple(tensors(descent, part, number) for part in result)
