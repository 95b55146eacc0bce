"""A method: its parts and how far it climbs, with all arguments checked."""

import copy
import dataclasses
from typing import Any

from keras_sam import _validation
from keras_sam import parts
from keras_sam import radii
from keras_sam._algorithm import adapters
from keras_sam._algorithm.ascent import STEP_LENGTHS
from keras_sam.cadences import Every
from keras_sam.descents import Last
from keras_sam.directions import Normalized


@dataclasses.dataclass(frozen=True)
class Method:
    """The arguments of `SharpnessAwareMinimization`, checked and adapted.

    The wrapper holds a `Method`, and so does every diagnostic that climbs. The
    fields hold the parts as `adapters.Adapted`. `arguments()` returns the parts
    as users gave them.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, or two contradict each
            other.
    """

    rho: Any = 0.05
    num_batch_splits: int | None = None
    ascent_steps: int = 1
    radius: str = "split"
    direction: Any = Normalized()
    descent: Any = Last()
    cadence: Any = Every()
    start: Any = None
    ascent_samples: Any = None
    descent_samples: Any = None
    perturb: Any = None
    sync_perturbations: bool = False
    track: bool | int = False
    xla: bool | str = "auto"

    def __post_init__(self):
        for name, check in _CHECKS.items():
            object.__setattr__(self, name, check(name, getattr(self, name)))
        _check_combinations(self)
        arguments = self.arguments()
        for name in parts.ARGUMENTS:
            part = getattr(self, name)
            if part is not None:
                part.check(arguments)

    def arguments(self):
        """Returns the arguments by name, parts as users gave them."""
        arguments = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        return {
            name: value.part if isinstance(value, adapters.Adapted) else value
            for name, value in arguments.items()
        }

    def at_radius(self, rho):
        """Returns this method with the present radius, a scalar tensor."""
        present = copy.copy(self)
        object.__setattr__(present, "rho", rho)
        return present

    @property
    def splits(self):
        """The number of parts of a batch, at least 1."""
        return self.num_batch_splits or 1

    @property
    def always_climbs(self):
        """Whether every train step climbs."""
        every = adapters.equal(self.cadence.part, Every())
        return self.ascent_steps > 0 and every

    @property
    def skips_steps(self):
        """Whether a cadence decides which train steps climb."""
        return self.ascent_steps > 0 and not self.always_climbs

    @property
    def evaluates_once(self):
        """Whether a train step is a single evaluation."""
        return self.ascent_steps == 0 and self.splits == 1

    @property
    def needs_scalar_loss(self):
        """The argument that needs the loss of a batch as a scalar, or None."""
        if self.splits > 1:
            return "num_batch_splits"
        return "track" if self.track else None

    @property
    def evaluates_end(self):
        """Whether a train step evaluates the end of the climb."""
        needed = self.direction.learns or bool(self.track)
        return needed or not self.descent.skips_end

    @property
    def unrolled(self):
        """Why a loop cannot take the steps of a climb, or None if it can."""
        if not self.descent.folds:
            return f"{self.descent.who} is no fold"
        if not self.direction.loops:
            return f"{self.direction.who} may depend on the number of the step"
        if self.ascent_samples or self.descent_samples:
            return "climb and descent choose their examples anew at each point"
        return None

    def shares_gradient(self, first):
        """Whether a step of the climb takes the gradient that others see.

        It does where the examples are the same: those of the clean pass at the
        first point, those of the descent at the others. Elsewhere the step
        needs a gradient of its own.

        Args:
            first: Bool, whether the step starts at z_0.
        """
        return self.ascent_samples == (None if first else self.descent_samples)

    @property
    def takes_slices(self):
        """Whether gradients of embeddings may be `tf.IndexedSlices`.

        All parts must take slices. The mean over the parts of a batch, the
        conditional of a cadence, and a decoupled descent need dense gradients.
        """
        used = [] if self.start is None else [self.start]
        if self.ascent_steps > 0:
            used += [self.direction, self.descent]
        return (
            self.splits == 1
            and all(part.takes_slices for part in used)
            and not self.skips_steps
            and not self.descent.decoupled
        )


def _rho(name, value):
    if isinstance(value, radii.Settable):
        return value
    try:
        return _validation.scheduled(name, value, 0.0)
    except TypeError as error:
        raise TypeError(
            f"`{name}` must be a number, a `keras.optimizers.schedules."
            "LearningRateSchedule`, or `keras_sam.radii.Settable(0.05)`, which "
            f"a callback can set. Received: {value!r}"
        ) from error


def _part(name, value):
    argument = parts.ARGUMENTS[name]
    if value is None and argument.optional:
        return None
    if isinstance(value, str):
        value = _named(name, value)
    adapter = adapters.ADAPTERS[argument.role]
    return value if isinstance(value, adapter) else adapter(name, value)


def _named(name, text):
    """Returns the part of a name, with its default arguments."""
    kind = parts.find(name, text)
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING
    ]
    if needed:
        given = ", ".join(f"{field}=..." for field in needed)
        raise ValueError(
            f"`{kind.__name__}` has no default for {needed}, so its name is "
            f"not enough. Write `{name}={kind.__module__}.{kind.__name__}"
            f"({given})`. Received: {name}={text!r}"
        )
    return kind()


def _track(name, value):
    if isinstance(value, bool):
        return value
    try:
        return _validation.integer(name, value, 1)
    except TypeError as error:
        raise TypeError(
            f"`{name}` must be a bool, or an integer of at least 1. "
            f"Received: {value!r}"
        ) from error


def _splits(name, value):
    return None if value is None else _validation.integer(name, value, 1)


def _one_of(*choices):
    return lambda name, value: _validation.choice(name, value, choices)


_CHECKS = {
    "num_batch_splits": _splits,
    "rho": _rho,
    "ascent_steps": lambda name, value: _validation.integer(name, value, 0),
    "radius": _one_of(*STEP_LENGTHS),
    **dict.fromkeys(parts.ARGUMENTS, _part),
    "perturb": _validation.variables,
    "sync_perturbations": _one_of(True, False),
    "track": _track,
    "xla": _one_of("auto", True, False),
}


def _check_combinations(method):
    """Raises ValueError if two arguments contradict each other."""
    if method.sync_perturbations and method.num_batch_splits:
        raise ValueError(
            "`sync_perturbations=True` makes one climb for the batch of all "
            "replicas, but `num_batch_splits` makes several climbs for the "
            "batch of each replica: give only one. Received: num_batch_splits="
            f"{method.num_batch_splits}"
        )
    for name in ("ascent_samples", "descent_samples"):
        samples = getattr(method, name)
        if method.sync_perturbations and samples is not None:
            raise ValueError(
                "`sync_perturbations=True` makes one climb for the batch of "
                f"all replicas, but `{name}` chooses among the examples of "
                f"each replica: give only one. Received: {name}={samples!r}"
            )
    if method.track and method.ascent_steps == 0:
        raise ValueError(
            "`track` measures climbs, so `ascent_steps` must be at least 1. "
            "Received: 0"
        )
    if method.track and method.descent_samples is not None:
        raise ValueError(
            "`track` compares losses of the whole batch, but "
            "`descent_samples` chooses some examples: give only one. Received: "
            f"descent_samples={method.descent_samples!r}"
        )
