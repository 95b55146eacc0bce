"""What directions and descents have in common: config, and memory.

A part is any callable. A stateless one takes tensors and returns tensors:

    direction(grads, params) -> step
    descent(clean, path) -> grads

A part that remembers something from step to step says so with a method `init`
and then takes its memory last and returns it last:

    init(params) -> memory
    direction(grads, params, memory) -> (step, memory)
    descent(clean, path, memory) -> (grads, memory)

`memory` is any nested structure of tensors. The model holds it as
non-trainable weights: it is saved, restored and, over replicas and splits of a
batch, averaged (float tensors; others must not depend on the data).
"""

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


def init(part, params):
    """Returns the first memory of a part; `()` for a stateless one."""
    return part.init(params) if hasattr(part, "init") else ()


def call(part, *arguments, memory, returns):
    """Calls a part, whether or not it has a memory.

    Args:
        part: Direction or descent.
        *arguments: Its arguments, without the memory.
        memory: Its memory.
        returns: How many tensors it has to return.

    Returns:
        (list of tensors, memory).

    Raises:
        ValueError: If the part returns something else.
    """
    if not hasattr(part, "init"):
        result = (part(*arguments), memory)
    else:
        result = part(*arguments, memory)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"{part!r} has `init`, so it must return its tensors and its "
                f"memory. Received: {result!r}"
            )
    tensors = result[0]
    if not isinstance(tensors, (list, tuple)) or len(tensors) != returns:
        raise ValueError(
            f"{part!r} must return a list of {returns} tensors, one for each "
            f"variable. Received: {tensors!r}"
        )
    return result
