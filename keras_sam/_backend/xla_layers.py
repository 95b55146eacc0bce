"""Whether XLA can compile all layers of a model."""

from keras_sam import _keras_internals


def check(model):
    """Checks that XLA can compile all layers of a model.

    Raises:
        ValueError: If a layer does not support XLA.
    """
    layers = [
        f"{layer.name!r} (a {type(layer).__name__})"
        for layer in _keras_internals.layers(model)
        if not layer.supports_jit
    ]
    if layers:
        raise ValueError(
            "`xla=True` needs layers that XLA can compile. Wrap the model with "
            '`xla="auto"`, or change the layers: on TensorFlow an LSTM or GRU '
            "takes `use_cudnn=False`. Received a model with layers that have "
            f"`supports_jit=False`: {', '.join(layers)}"
        )
