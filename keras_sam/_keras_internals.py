"""Every private name of Keras that the library uses."""


def mask(tensor):
    """Returns the mask that Keras attached to a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def set_mask(tensor, value):
    """Attaches a mask, if it is one, as Keras does."""
    if value is not None:
        tensor._keras_mask = value


def is_of_keras(function):
    """Whether Keras itself defines a function or method."""
    return getattr(function, "__module__", "").startswith("keras.src.")


def loss_tracker(model):
    """Returns the metric that averages the loss of a compiled model."""
    return model._loss_tracker


def held_metrics(model):
    """Returns the metrics that a model holds in its attributes."""
    return model._metrics


def takes_training(model):
    """Whether the `call` of a built model has an argument `training`."""
    return model._call_has_training_arg


def layers(model):
    """Returns the model and all layers in it, nested ones too."""
    return list(model._flatten_layers())
