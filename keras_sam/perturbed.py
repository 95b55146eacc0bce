"""Which variables climb."""

import re


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
