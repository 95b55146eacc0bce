"""Refuses a part with what looks like a hook but would be ignored."""

import difflib

from keras_sam import parts

_HOOKS = {
    role: {
        name
        for name in dir(role)
        if not name.startswith("_") and not name.endswith("_config")
    }
    for role in {argument.role for argument in parts.ARGUMENTS.values()}
}
# The hooks that are bools. All other hooks are methods.
_FLAGS = {"decoupled", "loops", "skips_end", "takes_slices"}
# The hooks of a descent that is a fold.
_FOLD = ("start", "visit", "finish")
# Names of helpers that resemble the name of a hook, but are no misspelling.
_WORDS = {
    *("best", "factors", "factory", "reset", "restart", "state", "stats"),
    *("test", "unit"),
}
# The similarity of `init` and `iint`. Equal names have 1.
_SIMILAR = 0.75


def check(name, part, role):
    """Raises an error if a step would ignore what looks like a hook.

    Args:
        name: String, the argument that the part was given as.
        part: Any callable.
        role: Class of `parts`, the role that the part must play.

    Raises:
        TypeError: If a hook is no method.
        ValueError: If the part plays another role, has a hook of another role,
            or has a method whose name is nearly the name of a hook.
    """
    _check_role(name, part, role)
    _check_methods(name, part, role)
    _check_fold(name, part)
    hooks = _HOOKS[role]
    # `factor` and a fold only save time, and helpers often have these names.
    # The adapter of samples itself refuses `init`.
    others = set().union(*_HOOKS.values()) - hooks
    others -= {"factor", "init", *_FOLD}
    for attribute in sorted(set(dir(type(part))) - set(dir(parts.Part))):
        value = getattr(type(part), attribute, None)
        if attribute in hooks or attribute.startswith("_"):
            continue
        if attribute in others and _could_be(attribute, value):
            raise ValueError(
                f"`{attribute}` is no hook of a {role.__name__}, so it would "
                f"be ignored. A {role.__name__} may have {sorted(hooks)}. Call "
                f"a helper `_{attribute}`. Received `{name}`: {part!r}"
            )
        near = _near(attribute, [h for h in hooks if _could_be(h, value)])
        if near:
            raise ValueError(
                f"`{attribute}` is nearly the hook `{near}` and would be "
                f"ignored. Call it `{near}`, or `_{attribute}` if it is a "
                f"helper. Received `{name}`: {part!r}"
            )


def folds(part):
    """Whether a part is a descent that folds the climb."""
    kind = type(part)
    return (
        isinstance(part, parts.Descent)
        and kind.__call__ is parts.Descent.__call__
        and kind.finish is not None
    )


def _check_fold(name, part):
    """Raises an error if a descent is neither a fold nor none."""
    kind = type(part)
    if not isinstance(part, parts.Descent):
        return
    if kind.__call__ is parts.Descent.__call__ and kind.finish is None:
        raise TypeError(
            f"`{name}` must be callable: define `__call__`, or `finish` of a "
            f"fold, in the class `{kind.__name__}`, as "
            f"`keras_sam.parts.Descent` says. Received: {part!r}"
        )
    own = [
        hook
        for hook in ("start", "visit")
        if getattr(kind, hook) is not getattr(parts.Descent, hook)
    ]
    if len(own) == 1:
        raise ValueError(
            "A fold must define both `start` and `visit`, since one returns "
            f"what the other takes, or none of them. Received `{name}`, with "
            f"`{own[0]}` alone: {part!r}"
        )
    caller = next(base for base in kind.__mro__ if "__call__" in vars(base))
    for hook in _FOLD:
        if hook in vars(caller) and caller is not parts.Descent:
            raise ValueError(
                f"`{hook}` is a hook of a fold, which `__call__` of the same "
                f"class would ignore. Call a helper `_{hook}`, or define "
                f"`finish` and no `__call__`. Received `{name}`: {part!r}"
            )


def _check_role(name, part, role):
    kinds = [kind for kind in _HOOKS if isinstance(part, kind)]
    if not kinds or role in kinds:
        return
    arguments = [
        f"`{argument}`"
        for argument, (kind, *_) in parts.ARGUMENTS.items()
        if kind in kinds
    ]
    raise ValueError(
        f"`{name}` must be a {role.__name__}. Pass a "
        f"{' or '.join(kind.__name__ for kind in kinds)} as "
        f"{' or '.join(arguments)}. Received: {part!r}"
    )


def _check_methods(name, part, role):
    for hook in sorted(_HOOKS[role] - _FLAGS - {"factor"}):
        value = getattr(part, hook, None)
        if value is not None and not callable(value):
            raise TypeError(
                f"`{hook}` must be a method: it is a hook of a "
                f"{role.__name__}. Give a field another name, such as "
                f"`{hook}_`. Received `{name}`: {part!r}"
            )


def _could_be(hook, value):
    """Whether a class attribute could be meant as a hook.

    A flag that is False changes nothing, so the step may ignore it.
    """
    return value is True if hook in _FLAGS else callable(value)


def _near(name, hooks):
    """Returns the hook whose name is nearly `name`, or None."""
    if name in _WORDS:
        return None
    near = difflib.get_close_matches(name.lower(), hooks, 1, _SIMILAR)
    return near[0] if near else None
