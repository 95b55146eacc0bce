"""The choice of the variables that move."""

import re


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


def select(perturb, variables, wrappers):
    """Returns the `Selection` of the variables that `perturb` chooses.

    Args:
        perturb: None for all, a regular expression on paths, or a predicate of
            a Keras variable.
        variables: List of the trained Keras variables.
        wrappers: List of path prefixes to strip, outermost first. A model that
            is built after wrapping has the names of its wrappers in the paths
            of its variables. A model that is loaded from a file has not.

    Raises:
        ValueError: If there are no variables, or `perturb` chooses none.
    """
    if not variables:
        raise ValueError(
            "`model` must have trainable weights. Received one without any"
        )
    paths = [_below(variable.path, wrappers) for variable in variables]
    if callable(perturb):
        chosen = [perturb(variable) for variable in variables]
    else:
        pattern = re.compile(perturb or "")
        chosen = [pattern.search(path) for path in paths]
    indices = [i for i, moves in enumerate(chosen) if moves]
    if not indices:
        raise ValueError(
            "`perturb` must match a trainable variable. Received: "
            f"{perturb!r}, which matches none of {paths}"
        )
    return Selection(indices)


def _below(path, wrappers):
    for wrapper in wrappers:
        path = path.removeprefix(wrapper)
    return path
