"""The variables of a Keras model, by kind."""


def trained(model):
    """Returns the variables that a model trains by their gradients."""
    return [
        v for v in model.trainable_variables if not v.overwrite_with_gradient
    ]


def seeds(model):
    """Returns the state variables of all seed generators of a model."""
    weights = {id(variable) for variable in model.weights}
    return unique(v for v in model.variables if id(v) not in weights)


def unique(variables):
    """Returns the variables in a list, each once."""
    return list({id(variable): variable for variable in variables}.values())
