"""The base of all parts, and what has a memory."""

import dataclasses
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import keras


class Part:
    """Base of frozen dataclasses whose fields are their Keras config.

    Register a subclass with `keras.saving.register_keras_serializable` to save
    it with the model.
    """

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Does what the role says. Each subclass must define it."""
        raise NotImplementedError(f"`{type(self).__name__}` has no `__call__`")

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises ValueError if the part does not go with other arguments.

        Args:
            arguments: The arguments of the wrapper by name. The wrapper has
                checked each one on its own.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the fields, serialized."""
        return {
            field.name: keras.saving.serialize_keras_object(
                getattr(self, field.name)
            )
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Part":
        """Returns the part with the given serialized fields."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )


class Remembering(Part):
    """A part that may have a memory."""

    # Whether the part takes gradients of embeddings as `tf.IndexedSlices`. Of
    # `vectors`, the functions `add`, `subtract`, `scale`, `dot`, `norm` and
    # `unit` work on them. Gradients come as slices only if all parts take them.
    # A subclass does not inherit the value: its `__call__` may not take them.
    takes_slices: ClassVar[bool] = False

    def init(self, params: list) -> Any:
        """Returns the first memory, any nested structure of tensors.

        Args:
            params: List of tensors shaped like the variables that the part
                works on. Directions and starts work on the perturbed
                variables, descents and cadences on all trained variables.
        """
        return ()
