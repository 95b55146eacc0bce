"""Every private name of Keras that the library uses."""


def mask(tensor):
    """Returns the mask that Keras attached to a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor, value):
    """Attaches a mask, if it is one, as Keras does."""
    if value is not None:
        tensor._keras_mask = value
