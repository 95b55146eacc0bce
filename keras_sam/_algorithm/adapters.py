"""Adapters that give all parts of a role the same form.

A `Method` adapts each part once, when it is made. A step calls the adapter with
the arguments of the role, a memory and the context. The adapter returns a
result and a memory.
"""

import inspect
from typing import NamedTuple

from keras_sam import parts
from keras_sam import vectors
from keras_sam._algorithm import hooks
from keras_sam._algorithm import returned


class Adapted:
    """A part in the form that a step calls.

    Args:
        name: String, the argument that the part was given as.
        part: Any callable.

    Attributes:
        part: The part, as the user gave it.
        who: String, the part and its argument, for errors.
        is_own: Bool, whether the part is of this library. Such a part has no
            state in Python.
        asks_for_context: Bool, whether the part takes `context`.
        remembers: Bool, whether the part has a memory.
        takes_slices: Bool, `takes_slices` of the class of the part.

    Raises:
        TypeError: If the part, or a hook of the part, cannot be called.
        ValueError: If the part plays another role, or a method has the name of
            a hook of another role, or nearly the name of a hook.
    """

    role: type = parts.Part

    def __init__(self, name, part):
        if isinstance(part, type) or not callable(part):
            raise TypeError(
                f"`{name}` must be an instance from "
                f"`keras_sam.{parts.ARGUMENTS[name].module}`, its name, or "
                f"another callable. Received: {part!r}"
            )
        if type(part).__call__ is parts.Part.__call__:
            raise TypeError(
                f"`{name}` must be callable: define `__call__` in the class "
                f"`{type(part).__name__}`, as `keras_sam.parts."
                f"{self.role.__name__}` says. Received: {part!r}"
            )
        hooks.check(name, part, self.role)
        self.part = part
        self.who = f"{part!r} (`{name}`)"
        self.is_own = type(part).__module__.startswith("keras_sam.")
        self.asks_for_context = self._parameter("context") is not None
        self.remembers = _hook(part, "init", self.role) is not None
        self.takes_slices = vars(type(part)).get("takes_slices", False)

    def __repr__(self):
        return repr(self.part)

    def __eq__(self, other):
        """Whether both are made of equal parts, which then do the same."""
        return isinstance(other, Adapted) and equal(self.part, other.part)

    # A part need not have a hash.
    __hash__ = None  # type: ignore[assignment]

    def _parameter(self, name):
        return parameter(self.part, name)

    def init(self, params):
        """Returns the first memory. A part without memory has `()`."""
        return self.part.init(params) if self.remembers else ()

    def check(self, arguments):
        """Raises ValueError if the part does not go with other arguments."""
        if hasattr(self.part, "check"):
            self.part.check(arguments)

    def called(self, *arguments, memory, context):
        """Returns (result, memory).

        Raises:
            ValueError: If a part with a memory does not return it, or returns
                one of another structure.
        """
        keywords = {"context": context} if self.asks_for_context else {}
        if not self.remembers:
            return self.part(*arguments, **keywords), memory
        result = self.part(*arguments, memory, **keywords)
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"{self.who} has `init`, so it must return its result and "
                f"its memory. Received: {result!r}"
            )
        return result[0], returned.memory(self.who, result[1], memory)


class AdaptedDirection(Adapted):
    """Calls a direction, or multiplies by its factor.

    Attributes:
        learns: Bool, whether the memory depends on the end of the climb.
        loops: Bool, whether it may be called in a loop over the steps.
    """

    role = parts.Direction

    def __init__(self, name, part):
        super().__init__(name, part)
        # A subclass may redefine `__call__`, so it does not inherit `factor`.
        factor = vars(type(part)).get("factor")
        self._factor = part.factor if callable(factor) else None
        self._learn = _hook(part, "learn", self.role)
        self.learns = self._learn is not None
        # A function may count its calls. A `Part` has no state in Python.
        self.loops = isinstance(part, parts.Part) and (
            not self.asks_for_context or vars(type(part)).get("loops", False)
        )

    def __call__(self, length, grads, params, memory, context):
        """Returns (the step multiplied by its length, memory)."""
        if self._factor is not None:
            factor = returned.scalar(self.who, self._factor(grads), "`factor`")
            (length,) = vectors.scale(length, [factor])
            return vectors.scale(length, grads), memory
        step, memory = self.called(
            grads, params, memory=memory, context=context
        )
        step = returned.tensors(self.who, step, params, "perturbed variable")
        return vectors.scale(length, step), memory

    def learn(self, grads, memory):
        """Returns the memory after a climb, of a direction that learns."""
        learnt = self._learn(grads, memory)
        return returned.memory(f"`learn` of {self.who}", learnt, memory)


class Descended(NamedTuple):
    """The result of a descent.

    Attributes:
        grads: List of tensors, the gradient for the optimizer.
        correction: List of tensors. The weights also move by minus the learning
            rate times these tensors. The list is empty unless the descent is
            decoupled.
    """

    grads: list
    correction: list


class AdaptedDescent(Adapted):
    """Calls a descent.

    Attributes:
        folds: Bool, whether the descent is a fold.
    """

    role = parts.Descent

    def __init__(self, name, part):
        self.folds = hooks.folds(part)
        super().__init__(name, part)
        self.decoupled = getattr(part, "decoupled", False)
        self.skips_end = getattr(part, "skips_end", False)

    def __call__(self, clean, path, memory, context):
        """Returns (`Descended`, memory)."""
        result, memory = self.called(
            clean, path, memory=memory, context=context
        )
        if not self.decoupled:
            grads = returned.tensors(self.who, result, clean.params)
            return Descended(grads, []), memory
        if not isinstance(result, tuple) or len(result) != 2:
            raise ValueError(
                f"{self.who} is decoupled, so it must return a pair of "
                f"lists. Received: {result!r}"
            )
        return Descended(
            *(returned.tensors(self.who, r, clean.params) for r in result)
        ), memory

    def _parameter(self, name):
        return parameter(self.part.finish if self.folds else self.part, name)

    def without_climb(self, grads):
        """Returns the `Descended` of a train step that does not climb."""
        correction = vectors.scale(0.0, grads) if self.decoupled else []
        return Descended(grads, correction)


class AdaptedCadence(Adapted):
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
                f"{self.who} must return a bool or a scalar bool tensor. "
                f"Received: {climbs!r}"
            )
        return climbs, memory

    def rest(self, clean, memory):
        """Returns the gradient of a train step that does not climb."""
        if self._rest is None:
            return clean.grads
        who = f"`rest` of {self.who}"
        return returned.tensors(who, self._rest(clean, memory), clean.params)

    def learn(self, clean, grads, memory):
        """Returns the memory after a climb."""
        if self._learn is None:
            return memory
        learnt = self._learn(clean, grads, memory)
        return returned.memory(f"`learn` of {self.who}", learnt, memory)


class AdaptedStart(Adapted):
    """Calls a start."""

    role = parts.Start

    def __init__(self, name, part):
        super().__init__(name, part)
        self._learn = _hook(part, "learn", self.role)

    def __call__(self, params, memory, context):
        """Returns (step, memory)."""
        step, memory = self.called(params, memory=memory, context=context)
        return returned.tensors(
            self.who, step, params, "perturbed variable"
        ), memory

    def learn(self, grads, memory):
        """Returns the memory after a train step."""
        if self._learn is None:
            return memory
        learnt = self._learn(grads, memory)
        return returned.memory(f"`learn` of {self.who}", learnt, memory)


class AdaptedSamples(Adapted):
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
        return returned.indices(self.who, indices)


def equal(a, b):
    """Whether two arguments are equal, also where `==` returns no bool."""
    try:
        return a is b or bool(a == b)
    except ValueError:  # As of NumPy arrays.
        return False


def _hook(part, name, role):
    """Returns a hook of a part, or None if the part has only the default."""
    default = getattr(role, name, None)
    if getattr(type(part), name, None) is default is not None:
        return None
    return getattr(part, name, None)


def parameter(function, name):
    """Returns the `inspect.Parameter` of that name of a function, or None."""
    try:
        return inspect.signature(function).parameters.get(name)
    except ValueError:  # A builtin without a signature.
        return None


# The adapter of each role.
ADAPTERS = {
    adapter.role: adapter
    for adapter in (
        AdaptedDirection,
        AdaptedDescent,
        AdaptedCadence,
        AdaptedStart,
        AdaptedSamples,
    )
}
