"""Every part, whatever it was given as, in one form.

A part is adapted once, when a `Method` is made. From then on it is called with
its arguments, its memory and the context, and returns its result and its
memory.
"""

import inspect
from typing import NamedTuple

from keras_sam import parts
from keras_sam import vectors

_ROLES = (
    parts.Direction,
    parts.Descent,
    parts.Cadence,
    parts.Start,
    parts.Samples,
)
# The role of each argument of the wrapper.
_ARGUMENTS = {
    "direction": parts.Direction,
    "descent": parts.Descent,
    "cadence": parts.Cadence,
    "start": parts.Start,
    "ascent_samples": parts.Samples,
    "descent_samples": parts.Samples,
}
_HOOKS = {
    role: {
        name
        for name in dir(role)
        if not name.startswith("_") and not name.endswith("_config")
    }
    for role in _ROLES
}
# The hooks that are a bool; all others are methods.
_FLAGS = {"decoupled", "takes_slices"}
# Names for helpers that differ from a hook by one letter, but not by a slip.
_WORDS = {"best", "factors", "factory", "reset", "test", "unit"}


class Adapted:
    """A part in the form in which a step calls it.

    Args:
        name: String, the argument that the part was given as.
        part: Any callable.

    Attributes:
        part: The same, as users see it.
        is_own: Whether it is of this library, so without state in Python.

    Raises:
        TypeError: If the part cannot be called, or a hook of it cannot.
        ValueError: If the part plays another role, or a method has the name of
            a hook of another role, or nearly the name of a hook.
    """

    role: type = parts.Part

    def __init__(self, name, part):
        if isinstance(part, type) or not callable(part):
            raise TypeError(
                f"`{name}` must be an instance from "
                f"`keras_sam.{parts.PARTS[name]}`, or another callable. "
                f"Received: {part!r}"
            )
        if type(part).__call__ is parts.Part.__call__:
            raise TypeError(
                f"`{name}` must be callable: define `__call__` in the class "
                f"`{type(part).__name__}`, as `keras_sam.parts."
                f"{self.role.__name__}` says. Received: {part!r}"
            )
        _check_hooks(name, part, self.role)
        self.part = part
        self.is_own = type(part).__module__.startswith("keras_sam.")
        self.asks_for_context = _takes_context(part)
        self.remembers = _hook(part, "init", self.role) is not None
        self.takes_slices = vars(type(part)).get("takes_slices", False)

    def __repr__(self):
        return repr(self.part)

    def init(self, params):
        """Returns the first memory, `()` for a part without one."""
        return self.part.init(params) if self.remembers else ()

    def check(self, arguments):
        """Raises ValueError if the part does not go with other arguments."""
        if hasattr(self.part, "check"):
            self.part.check(arguments)

    def called(self, *arguments, memory, context):
        """Returns (result, memory).

        Raises:
            ValueError: If a part with a memory does not return it.
        """
        keywords = {"context": context} if self.asks_for_context else {}
        if not self.remembers:
            return self.part(*arguments, **keywords), memory
        result = self.part(*arguments, memory, **keywords)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"{self.part!r} has `init`, so it must return its result and "
                f"its memory. Received: {result!r}"
            )
        return result

    def tensors(self, result, number):
        """Returns what the part has returned, a list of `number` tensors.

        Raises:
            ValueError: If it is something else.
        """
        if not isinstance(result, (list, tuple)) or len(result) != number:
            raise ValueError(
                f"{self.part!r} must return a list of {number} tensors, one "
                f"for each variable. Received: {result!r}"
            )
        return list(result)


class Direction(Adapted):
    """Calls a direction, or multiplies by its factor."""

    role = parts.Direction

    def __init__(self, name, part):
        super().__init__(name, part)
        # Not an inherited one: `__call__` may be another by now.
        factor = vars(type(part)).get("factor")
        self._factor = part.factor if callable(factor) else None

    def __call__(self, length, grads, params, memory, context):
        """Returns (the step, times its length; memory)."""
        if self._factor is not None:
            (length,) = vectors.scale(length, [self._factor(grads)])
            return vectors.scale(length, grads), memory
        step, memory = self.called(
            grads, params, memory=memory, context=context
        )
        step = self.tensors(step, len(params))
        return vectors.scale(length, step), memory


class Step(NamedTuple):
    """What a descent has made of the gradients.

    Attributes:
        grads: List of tensors, for the optimizer.
        correction: List of tensors, what the weights move by besides, over
            minus the learning rate. It is empty unless the descent is
            decoupled.
    """

    grads: list
    correction: list


class Descent(Adapted):
    """Calls a descent."""

    role = parts.Descent

    def __init__(self, name, part):
        super().__init__(name, part)
        self.decoupled = getattr(part, "decoupled", False)

    def __call__(self, clean, path, memory, context):
        """Returns (`Step`, memory)."""
        result, memory = self.called(
            clean, path, memory=memory, context=context
        )
        number = len(clean.grads)
        if not self.decoupled:
            return Step(self.tensors(result, number), []), memory
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"{self.part!r} is decoupled, so it must return a pair of "
                f"lists. Received: {result!r}"
            )
        grads, correction = (self.tensors(part, number) for part in result)
        return Step(grads, correction), memory

    def without_climb(self, grads):
        """Returns the `Step` of a train step that does not climb."""
        correction = vectors.scale(0.0, grads) if self.decoupled else []
        return Step(grads, correction)


class Cadence(Adapted):
    """Calls a cadence."""

    role = parts.Cadence

    def __init__(self, name, part):
        super().__init__(name, part)
        self._rest = _hook(part, "rest", self.role)
        self._learn = _hook(part, "learn", self.role)

    def __call__(self, clean, memory, context):
        """Returns (a bool or a scalar bool tensor, memory)."""
        climbs, memory = self.called(clean, memory=memory, context=context)
        scalar = getattr(climbs, "shape", None) == () and climbs.dtype == "bool"
        if not isinstance(climbs, bool) and not scalar:
            raise ValueError(
                f"{self.part!r} must return a bool or a scalar bool tensor. "
                f"Received: {climbs!r}"
            )
        return climbs, memory

    def rest(self, clean, memory):
        """Returns the gradient of a train step that does not climb."""
        return self._rest(clean, memory) if self._rest else clean.grads

    def learn(self, clean, grads, memory):
        """Returns the memory after a climb."""
        return self._learn(clean, grads, memory) if self._learn else memory


class Start(Adapted):
    """Calls a start, or stays at the weights."""

    role = parts.Start

    def __init__(self, name, part):
        super().__init__(name, part)
        self._learn = _hook(part, "learn", self.role)

    def __call__(self, params, memory, context):
        """Returns (step, memory)."""
        step, memory = self.called(params, memory=memory, context=context)
        return self.tensors(step, len(params)), memory

    def learn(self, grads, memory):
        """Returns the memory after a train step."""
        return self._learn(grads, memory) if self._learn else memory


class Samples(Adapted):
    """Calls a choice of samples."""

    role = parts.Samples

    def __init__(self, name, part):
        super().__init__(name, part)
        if self.remembers:
            raise ValueError(
                f"`{name}` must have no memory. Received: {part!r}"
            )

    def __call__(self, clean_losses, losses, context):
        """Returns the indices of the chosen examples."""
        indices, _ = self.called(
            clean_losses, losses, memory=(), context=context
        )
        return indices


def _hook(part, name, role):
    """Returns a hook that a part declares, or None for the default."""
    default = getattr(role, name, None)
    if getattr(type(part), name, None) is default is not None:
        return None
    return getattr(part, name, None)


def _takes_context(part):
    try:
        return "context" in inspect.signature(part).parameters
    except ValueError:  # A builtin without a signature.
        return False


def _check_hooks(name, part, role):
    """Raises an error if the step would ignore what looks like a hook."""
    roles = [kind for kind in _ROLES if isinstance(part, kind)]
    if roles and not isinstance(part, role):
        arguments = [
            f"`{argument}`"
            for argument, kind in _ARGUMENTS.items()
            if kind in roles
        ]
        raise ValueError(
            f"`{name}` must be a {role.__name__}. Pass a "
            f"{' or '.join(kind.__name__ for kind in roles)} as "
            f"{' or '.join(arguments)}. Received: {part!r}"
        )
    hooks = _HOOKS[role]
    for hook in sorted(hooks - _FLAGS - {"factor"}):
        value = getattr(part, hook, None)
        if value is not None and not callable(value):
            raise TypeError(
                f"`{hook}` must be a method: it is a hook of a "
                f"{role.__name__}. Give a field another name, such as "
                f"`{hook}_`. Received `{name}`: {part!r}"
            )
    # A step that ignores `factor` is right all the same, so any part may have
    # a method of this common name.
    others = set().union(*_HOOKS.values()) - hooks - {"factor"}
    own = set(dir(type(part))) - set(dir(parts.Part)) - hooks
    for attribute in sorted(own):
        if attribute.startswith("_"):
            continue
        value = getattr(type(part), attribute, None)
        if attribute in others and _could_be(attribute, value):
            raise ValueError(
                f"`{attribute}` is no hook of a {role.__name__}, so it would "
                f"be ignored. A {role.__name__} may have {sorted(hooks)}. Call "
                f"a helper `_{attribute}`. Received `{name}`: {part!r}"
            )
        near = [
            hook
            for hook in sorted(hooks)
            if _could_be(hook, value) and _is_near(attribute, hook)
        ]
        if near:
            raise ValueError(
                f"`{attribute}` is nearly the hook `{near[0]}` and would be "
                f"ignored. Call it `{near[0]}`, or `_{attribute}` if it is a "
                f"helper. Received `{name}`: {part!r}"
            )


def _could_be(hook, value):
    """Whether a class attribute could be meant as a hook.

    A flag that is False changes nothing.
    """
    return value is True if hook in _FLAGS else callable(value)


def _is_near(name, hook):
    """Whether a name is that of a hook but for a slip of one key, or two."""
    slips = _slips(name.lower(), hook)
    return name not in _WORDS and slips <= (2 if len(hook) > 8 else 1)


def _slips(a, b):
    """Returns how many letters are added, left out, changed or swapped.

    The optimal string alignment distance.
    """
    rows = [[*range(len(b) + 1)]]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(row[-1] + 1, rows[-1][j] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and (x, y) == (b[j - 2], a[i - 2]):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
