"""The variables of a Keras model, by kind."""

import keras


def trained(model):
    """Returns the variables that a model trains by their gradients."""
    return [
        v
        for v in model.trainable_variables
        if not v.overwrite_with_gradient and _has_gradient(v)
    ]


def without_gradient(model):
    """Returns the variables that are trainable in name only.

    Integers and bools have no gradient. A layer that makes one with
    `add_weight` may leave it trainable. Keras then warns and goes on.
    """
    return [
        v
        for v in model.trainable_variables
        if not v.overwrite_with_gradient and not _has_gradient(v)
    ]


def seeds(model):
    """Returns the state variables of all seed generators of a model."""
    weights = {id(variable) for variable in model.weights}
    return unique(v for v in model.variables if id(v) not in weights)


def unique(variables):
    """Returns the variables in a list, each once."""
    return list({id(variable): variable for variable in variables}.values())


def _has_gradient(variable):
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return dtype != "bool" and not keras.backend.is_int_dtype(dtype)
