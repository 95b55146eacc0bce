"""Choices of variables: those that move, and others that a part asks for."""

import re

import keras

from keras_sam import _keras_internals
from keras_sam._algorithm import adapters


class Selection:
    """Says which of all trained variables are perturbed.

    Args:
        indices: List of ints, the indices of the perturbed variables.
    """

    def __init__(self, indices):
        self.indices = indices

    def pick(self, values):
        """Returns the values of the perturbed variables, out of all values."""
        return [values[i] for i in self.indices]

    def put(self, values, moved):
        """Returns all values, with `moved` for the perturbed variables."""
        values = list(values)
        for i, value in zip(self.indices, moved, strict=True):
            values[i] = value
        return values


def select(perturb, variables, model):
    """Returns the `Selection` of the variables that `perturb` chooses.

    Args:
        perturb: None for all, a regular expression on paths, or a predicate of
            a Keras variable, or of a variable and its `layer`.
        variables: List of the trained Keras variables.
        model: The wrapper or model that has them.

    Raises:
        ValueError: If there are no variables, or `perturb` chooses none.
    """
    if not variables:
        raise ValueError(
            "`model` must have trainable weights. Received one without any"
        )
    chosen = which(perturb, variables, model, "`perturb`")
    return Selection([i for i, moves in enumerate(chosen) if moves])


def which(choice, variables, model, who="A choice of variables"):
    """Returns a list of bools, whether a choice has each variable.

    Args:
        choice: As `perturb` of `select`.
        variables: List of the trained Keras variables.
        model: The wrapper or model that has them.
        who: String, the choice, for the error.

    Raises:
        ValueError: If the choice has none of the variables.
    """
    wrappers = _prefixes(model)
    paths = [_below(variable.path, wrappers) for variable in variables]
    if not callable(choice):
        pattern = re.compile(choice or "")
        chosen = [pattern.search(path) is not None for path in paths]
    elif _asks_for_layer(choice):
        layers = _layers(model)
        chosen = [bool(choice(v, layer=layers.get(id(v)))) for v in variables]
    else:
        chosen = [bool(choice(variable)) for variable in variables]
    if not any(chosen):
        raise ValueError(
            f"{who} must match a trainable variable. Received: {choice!r}, "
            f"which matches none of {paths}"
        )
    return chosen


def _asks_for_layer(choice):
    layer = adapters.parameter(choice, "layer")
    # A default is a value that a user has bound to the name.
    return layer is not None and layer.default is layer.empty


def _layers(model):
    """Returns the layer that has each variable itself, by the variable's id."""
    owners = {}
    for layer in _keras_internals.layers(model):
        inner = (m for m in _keras_internals.layers(layer) if m is not layer)
        theirs = {id(v) for below in inner for v in below.variables}
        own = (v for v in layer.variables if id(v) not in theirs)
        owners |= {id(variable): layer for variable in own}
    return owners


def _prefixes(model):
    """Returns the prefixes of paths to strip for a choice, outermost first.

    A model that is built after wrapping has the names of its wrappers in the
    paths of its variables. A model that is loaded from a file has not.
    """
    models = model, getattr(model, "model", None)
    return [f"{m.name}/" for m in models if isinstance(m, keras.Model)]


def _below(path, wrappers):
    for wrapper in wrappers:
        path = path.removeprefix(wrapper)
    return path
