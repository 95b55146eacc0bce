"""Looks for hooks of a part that would be ignored."""

import difflib

from keras_sam import parts

_ROLES = (
    parts.Direction,
    parts.Descent,
    parts.Cadence,
    parts.Start,
    parts.Samples,
)
_HOOKS = {
    role: {
        name
        for name in dir(role)
        if not name.startswith("_") and not name.endswith("_config")
    }
    for role in _ROLES
}


def check(name, part, role):
    """Raises ValueError if what looks like a hook would be ignored.

    Args:
        name: String, the argument that the part was given as.
        part: Any callable.
        role: Class of `parts`, what the part has to be.
    """
    roles = [kind.__name__ for kind in _ROLES if isinstance(part, kind)]
    if roles and not isinstance(part, role):
        raise ValueError(
            f"`{name}` must be a {role.__name__}. Received a "
            f"{' and '.join(roles)}: {part!r}"
        )
    hooks = _HOOKS[role]
    others = set().union(*_HOOKS.values()) - hooks
    for attribute in _own(part) - hooks:
        if attribute in others:
            raise ValueError(
                f"`{attribute}` is no hook of a {role.__name__}, so it would "
                f"be ignored. A {role.__name__} may have {sorted(hooks)}. Call "
                f"a helper `_{attribute}`. Received `{name}`: {part!r}"
            )
        # 0.75 is what a swap of two letters leaves of `init`.
        near = difflib.get_close_matches(attribute.lower(), hooks, 1, 0.75)
        if near:
            raise ValueError(
                f"`{attribute}` is nearly the hook `{near[0]}` and would be "
                f"ignored. Call it `{near[0]}`, or `_{attribute}` if it is a "
                f"helper. Received `{name}`: {part!r}"
            )


def _own(part):
    """Returns the names of the methods and flags of a part's class."""
    return {
        attribute
        for attribute in set(dir(type(part))) - set(dir(parts.Part))
        if not attribute.startswith("_")
        and _may_be_hook(getattr(type(part), attribute))
    }


def _may_be_hook(value):
    return callable(value) or isinstance(value, bool)
