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


def call(part, *arguments, memory):
    """Returns what the part returns, and its memory."""
    if hasattr(part, "init"):
        return part(*arguments, memory)
    return part(*arguments), memory
