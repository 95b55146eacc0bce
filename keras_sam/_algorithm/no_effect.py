"""Arguments that change nothing beside the others: the user is told once."""

import contextlib
import inspect
import warnings

from keras_sam import parts
from keras_sam._algorithm import adapters
from keras_sam.descents import Accumulated
from keras_sam.descents import Last
from keras_sam.descents import Mean
from keras_sam.directions import Normalized
from keras_sam.samples import Drawn
from keras_sam.samples import Largest
from keras_sam.samples import Rising

# What only a climb reads. `perturb` and `rho` also serve a start.
_OF_A_CLIMB = ("radius", *parts.ARGUMENTS)
_OF_A_MOVE = ("rho", "perturb")


class NoEffectWarning(UserWarning):
    """An argument that has no effect beside the others."""


def warn(method, default):
    """Warns, at the user's line, of all arguments that have no effect.

    Args:
        method: `method.Method` of a wrapper.
        default: `method.Method` with the default arguments.
    """
    found = reasons(method.arguments(), default.arguments())
    if found:
        warnings.warn(
            " ".join(found), NoEffectWarning, stacklevel=_users_level()
        )


@contextlib.contextmanager
def ignored():
    """Lets a wrapper be made without these warnings, as from a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoEffectWarning)
        yield


def reasons(arguments, default):
    """Returns a sentence for each group of arguments without an effect.

    Args:
        arguments: Dict of the arguments of the wrapper by name.
        default: Dict of the default arguments.
    """
    given = [
        name
        for name, value in arguments.items()
        if not adapters.equal(value, default[name])
    ]
    if arguments["ascent_steps"] == 0:
        return _without_climb(arguments, given)
    return [
        *_in_place(arguments),
        *_of_one_step(arguments, given),
        *_of_samples(arguments),
        *_of_climbs(arguments),
    ]


def _without_climb(arguments, given):
    idle = [name for name in given if name in _OF_A_CLIMB and name != "start"]
    found = []
    if arguments["start"] is None:
        idle += [name for name in given if name in _OF_A_MOVE]
    elif _is_zero(arguments["rho"]):
        found.append(_start_in_place(arguments))
    if idle:
        found.append(
            f"{_listed(idle)} no effect with `ascent_steps=0`, which does not "
            "climb. Leave out what has none, or set `ascent_steps` to at least "
            f"1. Received: {_received(arguments, idle)}."
        )
    return found


def _in_place(arguments):
    """With `rho=0`, all points of the climb are w."""
    if not _is_zero(arguments["rho"]):
        return []
    found = [] if arguments["start"] is None else [_start_in_place(arguments)]
    plain = (
        type(arguments["descent"]) in (Last, Mean)
        and arguments["descent_samples"] is None
        and not arguments["track"]
    )
    if plain:
        found.append(
            "The climb has no effect with `rho=0`: all its points are the "
            "weights. Set `rho` above 0, or `ascent_steps` to 0, which trains "
            "the same at the cost of one gradient a step. Received: "
            f"{_received(arguments, ['rho', 'ascent_steps'])}."
        )
    return found


def _of_one_step(arguments, given):
    if arguments["ascent_steps"] > 1:
        return []
    found = []
    descent = arguments["descent"]
    if any(adapters.equal(descent, d) for d in (Mean(), Accumulated(1.0))):
        found.append(
            "`descent` has no effect with `ascent_steps=1`, where it is the "
            "same as the default, `Last()`. Leave it out, or set "
            f"`ascent_steps` to at least 2. Received: {descent!r}."
        )
    # A step of another length than 1 can leave the ball of "projected".
    unit = adapters.equal(arguments["direction"], Normalized())
    kept = unit and arguments["start"] is None
    if "radius" in given and (arguments["radius"] != "projected" or kept):
        found.append(
            "`radius` has no effect with `ascent_steps=1`, where a step has "
            "the length rho with all of them. Leave it out, or set "
            "`ascent_steps` to at least 2. Received: "
            f"{arguments['radius']!r}."
        )
    return found


def _of_samples(arguments):
    names = [
        name
        for name in ("ascent_samples", "descent_samples")
        if type(arguments[name]) in (Drawn, Largest, Rising)
        and arguments[name].fraction == 1.0
    ]
    if not names:
        return []
    return [
        f"{_listed(names)} no effect with `fraction=1`, which chooses all "
        "examples. Leave out what has none, or choose a smaller fraction. "
        f"Received: {_received(arguments, names)}."
    ]


def _of_climbs(arguments):
    """Several climbs of a direction without random draws are all alike."""
    descent, direction = arguments["descent"], arguments["direction"]
    own = type(direction).__module__.startswith("keras_sam.")
    draws = any(
        hasattr(part, "seed")
        for part in (direction, getattr(direction, "mask", None))
    )
    if getattr(descent, "climbs", 1) == 1 or draws or not own:
        return []
    return [
        "`climbs` has no effect with a `direction` that draws no random "
        "numbers: all climbs are the same. Leave it out, or climb along noise, "
        "as with `directions.Random()`. Received: "
        f"{_received(arguments, ['descent', 'direction'])}."
    ]


def _start_in_place(arguments):
    return (
        "`start` has no effect with `rho=0`, the length of its step. Leave it "
        "out, or set `rho` above 0. Received: "
        f"{_received(arguments, ['start', 'rho'])}."
    )


def _is_zero(rho):
    return isinstance(rho, float) and rho == 0.0


def _listed(names):
    quoted = [f"`{name}`" for name in names]
    if len(quoted) == 1:
        return f"{quoted[0]} has"
    return f"{', '.join(quoted[:-1])} and {quoted[-1]} have"


def _received(arguments, names):
    return ", ".join(f"{name}={arguments[name]!r}" for name in names)


def _users_level():
    """Returns the `stacklevel` of the first caller outside of the library.

    A subclass calls the constructor of the wrapper at a line of its own.
    """
    level, frame = 0, inspect.currentframe()
    while frame is not None and _is_own(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_own(frame):
    return frame.f_globals.get("__name__", "").split(".")[0] == "keras_sam"
