"""What Keras attaches to tensors: masks and logits."""

from typing import Any

from keras import tree

from keras_sam._keras_internals.package import KERAS


def mask(tensor: Any) -> Any:
    """Returns the mask that Keras attached to a tensor, or None.

    Read in Keras 3.14 and 3.15: `_keras_mask`, which few tensors have.
    """
    return _attached(tensor, "_keras_mask")


def set_mask(tensor: Any, value: Any) -> None:
    """Attaches a mask to a tensor, unless the mask is None.

    Read in Keras 3.14 and 3.15: `_keras_mask`.
    """
    if value is not None:
        KERAS.private(_attributes(), "set_tensor_attr")(
            tensor, "_keras_mask", value
        )


def copy_mask(tensor: Any, other: Any) -> None:
    """Attaches the mask of a tensor to another one, if it has a mask."""
    set_mask(other, mask(tensor))


def masks(structure: Any) -> list:
    """Returns the masks of all tensors of a structure, which may hold None."""
    return [mask(tensor) for tensor in tree.flatten(structure)]


def set_masks(structure: Any, values: list) -> None:
    """Attaches what `masks` has returned of a structure like this one."""
    for tensor, value in zip(tree.flatten(structure), values, strict=True):
        set_mask(tensor, value)


def logits(tensor: Any) -> Any:
    """Returns the logits of a tensor of probabilities, or None.

    Read in Keras 3.14 and 3.15: `_keras_logits`, which softmax and sigmoid
    attach to their results, for losses to compute with.
    """
    return _attached(tensor, "_keras_logits")


def _attached(tensor: Any, name: str) -> Any:
    """Returns what Keras attached to a tensor under a name, or None.

    What JAX traces takes no attributes: Keras keeps them in a table.

    Read in Keras 3.14 and 3.15: `get_tensor_attr` and `set_tensor_attr` of
    `keras.src.backend.common.tensor_attributes`.
    """
    return KERAS.private(_attributes(), "get_tensor_attr")(tensor, name)


def _attributes() -> Any:
    return KERAS.module("keras.src.backend.common.tensor_attributes")
