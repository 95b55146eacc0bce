"""Which variables climb."""

import re


class Moving:
    """The perturbed ones among all trained variables.

    Args:
        indices: List of their indices.
    """

    def __init__(self, indices):
        self._indices = indices

    def pick(self, values):
        """Returns the values of the perturbed variables, out of all."""
        return [values[i] for i in self._indices]

    def put(self, values, moved):
        """Returns the values of all, with those of the perturbed replaced."""
        values = list(values)
        for i, value in zip(self._indices, moved, strict=True):
            values[i] = value
        return values


def indices(perturb, variables, wrappers):
    """Returns the indices of the variables that `perturb` chooses.

    Args:
        perturb: None for all, a regular expression on paths, or a predicate of
            a Keras variable.
        variables: List of the trained Keras variables.
        wrappers: Beginnings of a path, outermost first, that do not count: a
            model built late has variables below the names of its wrappers, but
            not when it is loaded.

    Raises:
        ValueError: If there are no variables, or none is chosen.
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
    found = [i for i, climbs in enumerate(chosen) if climbs]
    if not found:
        raise ValueError(
            "`perturb` must match a trainable variable. Received: "
            f"{perturb!r}, which matches none of {paths}"
        )
    return found


def _below(path, wrappers):
    for wrapper in wrappers:
        path = path.removeprefix(wrapper)
    return path
