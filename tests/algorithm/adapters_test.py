"""A part is adapted once: a hook that would be ignored is an error."""

import dataclasses
import sys
import types

import pytest

from keras_sam import parts
from keras_sam._algorithm import adapters
from keras_sam._algorithm.method import Method
from tests.support import testing  # noqa: F401  Before anything touches devices.


def subclass(role, **attributes):
    """Returns an instance of a user's subclass of a role."""
    attributes = {"__call__": lambda self, *arguments: None, **attributes}
    return type("Own", (role,), attributes)()


def method(self, *arguments):
    """Takes the place of a hook, or of a helper."""


ROLES = {
    "direction": adapters.AdaptedDirection,
    "descent": adapters.AdaptedDescent,
    "cadence": adapters.AdaptedCadence,
    "start": adapters.AdaptedStart,
    "ascent_samples": adapters.AdaptedSamples,
}


def refusal(name, part, kind=ValueError):
    """Returns the text of the error for a part given as an argument."""
    with pytest.raises(kind) as caught:
        ROLES[name](name, part)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert f"`{name}`" in text and repr(part) in text
    return text


@pytest.mark.parametrize(
    ("name", "role", "attribute", "value", "hook"),
    [
        ("cadence", parts.Cadence, "lern", method, "learn"),
        ("cadence", parts.Cadence, "learns", method, "learn"),
        ("cadence", parts.Cadence, "Rest", method, "rest"),
        ("start", parts.Start, "laern", method, "learn"),
        ("start", parts.Start, "int", method, "init"),
        ("direction", parts.Direction, "innit", method, "init"),
        ("direction", parts.Direction, "facotr", method, "factor"),
        ("direction", parts.Direction, "take_slices", True, "takes_slices"),
        ("descent", parts.Descent, "take_slice", True, "takes_slices"),
        ("descent", parts.Descent, "decouple", True, "decoupled"),
        ("descent", parts.Descent, "visits", method, "visit"),
        ("direction", parts.Direction, "loop", True, "loops"),
        ("ascent_samples", parts.Samples, "chek", method, "check"),
    ],
)
@pytest.mark.parametrize("derived", [True, False])
def test_a_near_miss(name, role, attribute, value, hook, derived):
    part = subclass(role if derived else object, **{attribute: value})
    text = refusal(name, part)
    assert f"`{attribute}` is nearly the hook `{hook}`" in text
    assert f"Call it `{hook}`, or `_{attribute}` if it is a helper" in text


@pytest.mark.parametrize(
    ("name", "role", "attribute", "value", "hooks"),
    [
        ("direction", parts.Direction, "rest", method, "'init'"),
        ("direction", parts.Direction, "decoupled", True, "'takes_slices'"),
        ("descent", parts.Descent, "learn", method, "'decoupled'"),
        ("start", parts.Start, "rest", method, "'learn'"),
        ("ascent_samples", parts.Samples, "rest", method, "'check'"),
    ],
)
@pytest.mark.parametrize("derived", [True, False])
def test_a_hook_of_another_role(name, role, attribute, value, hooks, derived):
    part = subclass(role if derived else object, **{attribute: value})
    text = refusal(name, part)
    assert f"`{attribute}` is no hook of a {role.__name__}" in text
    assert f"A {role.__name__} may have" in text and hooks in text
    assert f"Call a helper `_{attribute}`" in text


def test_a_part_in_the_place_of_another():
    text = refusal("direction", subclass(parts.Descent))
    assert "must be a Direction. Pass a Descent as `descent`." in text
    text = refusal("start", subclass(parts.Samples))
    assert "Pass a Samples as `ascent_samples` or `descent_samples`." in text


def test_a_part_without_call():
    class Mute(parts.Direction):
        pass

    text = refusal("direction", Mute(), TypeError)
    assert "define `__call__` in the class `Mute`" in text
    assert "`keras_sam.parts.Direction`" in text


def test_a_class_is_not_a_part():
    class Own(parts.Direction):
        def __call__(self, grads, params):
            return grads

    with pytest.raises(TypeError, match="`direction` must be an instance"):
        adapters.AdaptedDirection("direction", Own)


def test_a_field_with_the_name_of_a_hook():
    @dataclasses.dataclass(frozen=True)
    class Own(parts.Cadence):
        rest: int = 3

        def __call__(self, clean):
            return True

    text = refusal("cadence", Own(), TypeError)
    assert "`rest` must be a method" in text
    assert "Give a field another name, such as `rest_`" in text


@pytest.mark.parametrize(
    ("name", "role", "attribute", "value"),
    [
        ("cadence", parts.Cadence, "schedule", method),
        # A leading underscore makes a helper of any name.
        ("cadence", parts.Cadence, "_learn", method),
        ("cadence", parts.Cadence, "_lern", method),
        ("direction", parts.Direction, "_rest", method),
        # Words that are a letter away from a hook.
        ("cadence", parts.Cadence, "reset", method),
        ("cadence", parts.Cadence, "test", method),
        ("direction", parts.Direction, "unit", method),
        ("direction", parts.Direction, "factors", method),
        # A field, not a method; and a flag, not a method.
        ("cadence", parts.Cadence, "lern", 0.1),
        ("cadence", parts.Cadence, "rests", True),
        ("direction", parts.Direction, "rest", True),
        ("direction", parts.Direction, "factor", 0.5),
        # A fold belongs to descents, and other parts may have such helpers.
        ("direction", parts.Direction, "start", method),
        ("cadence", parts.Cadence, "visit", method),
        ("ascent_samples", parts.Samples, "finish", method),
        ("descent", parts.Descent, "stats", method),
        # `factor` only saves time.
        ("descent", parts.Descent, "factor", method),
        ("cadence", parts.Cadence, "factor", method),
        # A flag that is off changes nothing.
        ("direction", parts.Direction, "decoupled", False),
        ("direction", parts.Direction, "take_slices", False),
        # The hooks themselves.
        ("cadence", parts.Cadence, "rest", method),
        ("cadence", parts.Cadence, "learn", method),
        ("start", parts.Start, "learn", method),
        ("direction", parts.Direction, "factor", method),
        ("direction", parts.Direction, "learn", method),
        ("direction", parts.Direction, "takes_slices", True),
        ("descent", parts.Descent, "decoupled", True),
    ],
)
@pytest.mark.parametrize("derived", [True, False])
def test_what_is_no_mistake(name, role, attribute, value, derived):
    part = subclass(role if derived else object, **{attribute: value})
    assert ROLES[name](name, part).part is part


class Fold(parts.Descent):
    """The last gradient."""

    def finish(self, clean, last):
        return last.grads


class Called(Fold):
    """Overrides what the fold would be called by."""

    def __call__(self, clean, path):
        return clean.grads


class Counted(Fold):
    """Keeps a number, and asks for context."""

    def start(self, clean):
        return 0

    def visit(self, kept, point):
        return kept + 1

    def finish(self, clean, kept, *, context):
        return kept


def test_a_fold():
    last, called, counted = (
        ROLES["descent"]("descent", part()) for part in (Fold, Called, Counted)
    )
    assert last.folds and counted.folds and not called.folds
    assert counted.asks_for_context and not last.asks_for_context
    assert Counted()(None, iter("abc"), context=None) == 3
    assert called.part(types.SimpleNamespace(grads=[1]), iter(())) == [1]


def test_a_fold_without_finish():
    class Mute(parts.Descent):
        pass

    text = refusal("descent", Mute(), TypeError)
    assert "define `__call__`, or `finish` of a fold" in text


@pytest.mark.parametrize("hook", ["start", "visit"])
def test_half_of_a_fold(hook):
    part = type("Half", (Fold,), {hook: method})()
    text = refusal("descent", part)
    assert "must define both `start` and `visit`" in text
    assert f"with `{hook}` alone" in text


@pytest.mark.parametrize("hook", ["start", "visit", "finish"])
def test_a_fold_beside_a_call(hook):
    hooks = dict.fromkeys({hook, "start", "visit"}, method)
    text = refusal("descent", subclass(parts.Descent, **hooks))
    assert "is a hook of a fold, which `__call__` of the same class" in text


@pytest.mark.parametrize("name", ROLES)
def test_a_function_is_a_part(name):
    def function(*arguments):
        return None

    assert ROLES[name](name, function).part is function


@pytest.mark.parametrize("name", ["ascent_samples", "descent_samples"])
def test_samples_have_no_memory(name):
    class Remembering(parts.Samples):
        def init(self, params):
            return []

        def __call__(self, clean_losses, losses, memory):
            return clean_losses(), memory

    with pytest.raises(ValueError, match=f"`{name}` must have no memory"):
        Method(**{name: Remembering()})


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
