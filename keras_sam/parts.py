"""The roles that the parts of a method play, and the hooks of each role.

A part is any callable. It may also subclass its role, which declares all hooks
with their defaults. Such a subclass is a frozen dataclass. Its fields become
its Keras config. The roles are:

    Direction   direction(grads, params) -> step         where the climb steps
    Descent     descent(clean, path) -> grads            what is descended with
    Cadence     cadence(clean) -> climbs                 which steps climb
    Start       start(params) -> step                    where the clean pass is
    Samples     samples(clean_losses, losses) -> indices which examples count

A part may remember something from step to step. Such a part has a hook `init`,
takes its memory as the last positional argument, and returns it last:

    init(params) -> memory
    direction(grads, params, memory) -> (step, memory)

The memory is any nested structure of tensors. The model holds it as
non-trainable weights, and so saves and restores it. Float tensors are averaged
over replicas and over the splits of a batch. Other tensors are not averaged:
they should be the same everywhere, such as a count of climbs.

A part that needs more takes a keyword argument `context`, a `Context`.

The wrapper looks hooks up once, when it is made. It refuses a method whose name
is nearly the name of a hook (`lern`), and a hook of another role.
"""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import ClassVar
from typing import NamedTuple

import keras

from keras_sam import _names
from keras_sam import _registration

__all__ = [
    "ARGUMENTS",
    "Argument",
    "Cadence",
    "Context",
    "Descent",
    "Direction",
    "Part",
    "Samples",
    "Start",
    "find",
    "last",
    "names",
]


class Part:
    """Base of frozen dataclasses whose fields are their Keras config.

    Register a subclass with `keras.saving.register_keras_serializable` to save
    it with the model.
    """

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Does what the role says. Each subclass must define it."""
        raise NotImplementedError(f"`{type(self).__name__}` has no `__call__`")

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises ValueError if the part does not go with other arguments.

        Args:
            arguments: The arguments of the wrapper by name. The wrapper has
                checked each one on its own.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the fields, serialized."""
        return {
            field.name: keras.saving.serialize_keras_object(
                getattr(self, field.name)
            )
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Part":
        """Returns the part with the given serialized fields."""
        return cls(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )


class _Remembering(Part):
    """A part that may have a memory."""

    # Whether the part takes gradients of embeddings as `tf.IndexedSlices`. Of
    # `vectors`, the functions `add`, `subtract`, `scale`, `dot`, `norm` and
    # `unit` work on them. Gradients come as slices only if all parts take them.
    # A subclass does not inherit the value: its `__call__` may not take them.
    takes_slices: ClassVar[bool] = False

    def init(self, params: list) -> Any:
        """Returns the first memory, any nested structure of tensors.

        Args:
            params: List of tensors shaped like the variables that the part
                works on. Directions and starts work on the perturbed
                variables, descents and cadences on all trained variables.
        """
        return ()


class Direction(_Remembering):
    """Where a step of the climb points: `direction(grads, params) -> step`.

    `params` is the present point of the climb, and `grads` the gradient there.
    Both are lists of tensors of equal shapes, for the perturbed variables only.
    `step` is a list of tensors of the same shapes. The climb moves by the
    radius of a step times `step`.
    """

    # A direction that only rescales the gradient may define a method
    # `factor(grads)`, which returns the scale, a scalar tensor. The climb then
    # multiplies each gradient once instead of twice. A subclass does not
    # inherit the method: its own `__call__` may not rescale by that factor.
    factor: ClassVar[Callable[..., Any] | None] = None

    # Whether a direction that asks for context may be called in a loop, once
    # for all steps of the climb. `context.ascent_step` is then a tensor, which
    # `if` cannot ask. Without it the climb is unrolled: each step is compiled
    # on its own. A direction that does not ask for context needs no such flag.
    # A subclass does not inherit the value.
    loops: ClassVar[bool] = False

    def learn(self, grads: list, memory: Any) -> Any:
        """Returns the memory after a climb.

        Args:
            grads: List of tensors, the gradient at the end of the climb, for
                the perturbed variables only. If a step climbs several times,
                it is that of the first climb.
            memory: The memory that the last call has returned.
        """
        return memory


class Descent(_Remembering):
    """What the gradients become: `descent(clean, path) -> grads`.

    `clean` is the point z_0, and `path` an iterator over z_1, ..., z_n. A point
    has `params`, `loss` and `grads`, and `y_pred`, the outputs of the model for
    the examples of this replica. The climb evaluates a point when the
    iterator reaches it, so a descent that folds gradients as they come needs no
    more memory for more steps. `grads` is a list of tensors, for all trained
    variables.

    A descent may be a fold instead. It then defines `finish` in the place of
    `__call__`, and `start` and `visit` if it needs more than the last point:

        kept = start(clean)
        for point in path:
            kept = visit(kept, point)
        grads = finish(clean, kept)

    On GPUs and TPUs the JAX backend makes a loop of the climb of a fold, so it
    compiles one step, whatever n is. It unrolls other climbs: it compiles n
    steps.
    """

    # Whether the descent returns a pair of lists instead. The optimizer gets
    # the first list. The weights also move by minus the learning rate times the
    # second list.
    decoupled: ClassVar[bool] = False

    # Whether the descent needs no more of z_n than its `params`. The climb then
    # does not evaluate z_n: its `loss` is None, and its `grads` are empty.
    skips_end: ClassVar[bool] = False

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Folds the path. A descent that is no fold defines it anew.

        Args:
            *arguments: `clean`, `path`, and the memory of a descent that has
                one.
            **keywords: `context`, if `finish` asks for it.
        """
        clean, path, *memory = arguments
        if type(self).visit is Descent.visit:
            kept = last(clean, path)
        else:
            kept = _reduced(self.visit, path, self.start(clean))
        return self.finish(clean, kept, *memory, **keywords)

    def start(self, clean: Any) -> Any:
        """Returns what a fold keeps before the first point of the path.

        Args:
            clean: The point z_0.

        Returns:
            Any nested structure of tensors and numbers.
        """
        return clean

    def visit(self, kept: Any, point: Any) -> Any:
        """Returns what a fold keeps after a point, without a change of shape.

        Args:
            kept: What `start`, or the call for the point before, has returned.
            point: A point of the path.

        Returns:
            A structure like `kept`, with tensors of the same shapes and dtypes.
        """
        return point

    # `finish(clean, kept) -> grads`: what a fold returns. A descent with a
    # memory takes it last, and returns (grads, memory). It may take `context`.
    finish: ClassVar[Any] = None


class Cadence(_Remembering):
    """Whether this train step climbs: `cadence(clean) -> climbs`.

    `clean` is the point z_0. `climbs` is a bool or a scalar bool tensor. All
    replicas must decide alike: a cadence that depends on the data must average
    it with `context.average`. Each split of a batch decides on its own.
    """

    def rest(self, clean: Any, memory: Any) -> list:
        """Returns the gradient to descend with in a step that does not climb.

        Args:
            clean: The point z_0.
            memory: The memory that the call has returned. A step that does not
                climb does not change it further.
        """
        return clean.grads

    def learn(self, clean: Any, grads: list, memory: Any) -> Any:
        """Returns the memory after a climb.

        Args:
            clean: The point z_0.
            grads: List of tensors, the gradient that the step descends with.
            memory: The memory that the call has returned.
        """
        return memory


class Start(_Remembering):
    """Where the clean pass is, if not at w: `start(params) -> step`.

    `params` is a list of tensors, the perturbed weights. `step` is a list of
    tensors of the same shapes. The clean pass is at z_0 = w + rho * step.
    """

    def learn(self, grads: list, memory: Any) -> Any:
        """Returns the memory after the step.

        Args:
            grads: List of tensors, the gradient that the step descends with,
                for the perturbed variables only.
            memory: The memory that the call has returned.
        """
        return memory


class Samples(Part):
    """Which examples count: `samples(clean_losses, losses) -> indices`.

    Both arguments are functions without arguments. Each returns a tensor with
    the loss of each example, up to an addend common to all. `clean_losses()` is
    at z_0. `losses()` is at the present point of the climb and costs a forward
    pass. A function that is not called costs nothing. The losses include
    `sample_weight` and `class_weight`. `indices` are the indices of the chosen
    examples. Samples cannot have a memory.
    """


class Context:
    """What a step offers to a part that asks for more than its arguments.

    `params` are values of all trained variables; for directions and starts, of
    the perturbed variables. Losses and gradients are on the examples of the
    climb: the batch, or a part of it. With `sync_perturbations` they are
    averaged over replicas.

    Attributes:
        iterations: Scalar int tensor, the optimizer's iterations.
        examples: Int or scalar int tensor, the size of the batch.
        ascent_step: Int, the number of steps of the climb already taken. For
            a direction with `loops` it may be a scalar int tensor.
        rho: Float or scalar tensor, the present value of the wrapper's `rho`.
    """

    iterations: Any
    examples: Any
    ascent_step: Any
    rho: Any

    def climb(self) -> Iterator:
        """Returns one more climb from z_0, an iterator like `path`.

        Directions draw other numbers in it than in `path`, so a descent can
        sample points. Its points cost what those of `path` cost. Each climb
        starts with the memory of the direction from before the step, and only
        `path` changes this memory. Only a descent can call this.
        """
        raise NotImplementedError

    def loss(self, params: list) -> Any:
        """Returns the loss at params, at the cost of a forward pass."""
        raise NotImplementedError

    def gradient(self, params: list, output_gradients: Any = None) -> list:
        """Returns the gradient at params, a list of tensors.

        With `output_gradients`, the gradient `J^T c + R`. J is the Jacobian of
        the outputs at params, and c takes the place of the derivative of the
        loss by the outputs. R is the gradient of what does not go through the
        outputs: regularizers, losses that layers add, and what an override of
        `compute_loss` computes from the weights. The cost is the same.

        Args:
            params: List of tensors.
            output_gradients: Structure of the outputs, as `output_gradients`
                returns it: tensors of the shapes of the outputs, or None where
                there is nothing to add. Each replica passes its own.

        Raises:
            ValueError: If `output_gradients` has another structure, or if an
                output is ragged or sparse.
        """
        raise NotImplementedError

    def outputs(self, params: list) -> Any:
        """Returns the outputs at params, at the cost of a forward pass.

        They are those of training mode, with the dropout masks of the clean
        pass, for the examples of this replica. Each replica gets its own, also
        with `sync_perturbations`. So a part that makes a number of them must
        average it with `average`. TRAM (arXiv:2310.03646) makes a radius of the
        divergence between outputs at two points: a direction that evaluates
        both here, and multiplies its step by it.
        """
        raise NotImplementedError

    def output_gradients(
        self,
        params: list,
        outputs: Any,
        loss: Callable[[Any, Any], Any] | None = None,
    ) -> Any:
        """Returns the gradient of the loss with respect to the outputs.

        It calls the loss, but not the model. A descent has the outputs at z_0
        as `clean.y_pred`. With `gradient` the two factors of the chain rule may
        be those of different points (`descents.Functional`), or of a different
        loss (`directions.LowerBound`).

        Args:
            params: List of tensors.
            outputs: The outputs of the model at params, any structure.
            loss: Function of the targets and the outputs that returns a scalar
                tensor, to take the place of the loss of the model; or None.

        Returns:
            Structure of `outputs`: a tensor of at least float32, or None for an
            output that is not float, or that the loss does not depend on. They
            are those of the examples of this replica.

        Raises:
            ValueError: If an output is ragged or sparse, or if `loss` returns
                no scalar.
        """
        raise NotImplementedError

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian at params times a list of tensors."""
        raise NotImplementedError

    def squared_gradients(self, params: list, examples: int) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, the largest number of examples to use, from the
                first of the batch on.
        """
        raise NotImplementedError

    def filters(self) -> list[tuple[int, ...] | None]:
        """Returns the axes that number the filters, for each variable.

        A filter is the part of a kernel that makes one output. It holds all
        entries that share their indices along these axes. A variable without
        filters, such as a bias, has None.
        """
        raise NotImplementedError

    def which(self, choice: Any) -> list[bool]:
        """Returns whether a choice of variables has each variable.

        Args:
            choice: As `perturb` of the wrapper: None for all variables, a
                regular expression on variable paths, or a predicate of a Keras
                variable.

        Raises:
            ValueError: If the choice has no trained variable.
        """
        raise NotImplementedError

    def average(self, tensor: Any) -> Any:
        """Returns the mean of a tensor over replicas.

        It does so with and without `sync_perturbations`. A function for `when`
        must not call it.
        """
        raise NotImplementedError

    def when(
        self, due: Any, function: Callable[["Context"], list], otherwise: list
    ) -> list:
        """Returns the result of a function if it is due, else other tensors.

        The function runs in a conditional, where replicas cannot reach each
        other. With `sync_perturbations` its result is averaged over replicas
        afterwards.

        Args:
            due: Scalar bool tensor, the same on all replicas.
            function: Function that takes the `Context` of this replica only
                and returns a list of tensors.
            otherwise: List of tensors of the same shapes, the same on all
                replicas.
        """
        raise NotImplementedError

    def draws(self, part: Any) -> Any:
        """Returns the random draws of a part with an attribute `seed`.

        The draws have methods `uniform(shape)` and `normal(shape, dtype)`. They
        depend on the class of the part, on its seed, on the optimizer's
        iterations, on `ascent_step` and on the climb, see `climb`. All replicas
        draw the same numbers.
        """
        raise NotImplementedError

    def value(self, number: Any) -> Any:
        """Returns a number as it is, or the present value of a schedule."""
        raise NotImplementedError


def last(clean: Any, path: Iterable) -> Any:
    """Returns the last point of the path, or the clean one of an empty path."""
    if hasattr(path, "end"):  # The library's own, which may climb in a loop.
        return path.end()
    point = clean
    for point in path:  # noqa: B007
        pass
    return point


def _reduced(visit: Callable, path: Iterable, kept: Any) -> Any:
    """Returns what `visit` makes of a start, at all points of the path."""
    if hasattr(path, "reduced"):
        return path.reduced(visit, kept)
    return functools.reduce(visit, path, kept)


class Argument(NamedTuple):
    """An argument of the wrapper that is a part.

    Attributes:
        role: The class of its role.
        module: String, the module of `keras_sam` to look for such parts.
        optional: Bool, whether the argument may be None.
    """

    role: type[Part]
    module: str
    optional: bool = False


ARGUMENTS = {
    "direction": Argument(Direction, "directions"),
    "descent": Argument(Descent, "descents"),
    "cadence": Argument(Cadence, "cadences"),
    "start": Argument(Start, "starts", optional=True),
    "ascent_samples": Argument(Samples, "samples", optional=True),
    "descent_samples": Argument(Samples, "samples", optional=True),
}


def names(argument: str, kind: type[Part] | None = None) -> list[str]:
    """Returns the names of the parts of this library for an argument, sorted.

    Args:
        argument: String, a key of `ARGUMENTS`.
        kind: The class that the parts must be of, such as `Part`, which also
            has parts of parts (`FisherMask`); None for the role of the
            argument.
    """
    return sorted(_classes(argument, kind))


def find(
    argument: str, name: str, kind: type[Part] | None = None
) -> type[Part]:
    """Returns the class of a part of this library by its name.

    Capitals and underscores do not count: "noise_first" is `NoiseFirst`.

    Args:
        argument: String, a key of `ARGUMENTS`.
        name: String, the name of the class.
        kind: As for `names`.

    Raises:
        ValueError: If there is no such part. The error has the nearest names.
    """
    classes = _classes(argument, kind)
    known = {each: (each,) for each in sorted(classes)}
    found = _names.alike(name, known)
    if not found:
        meant = _names.did_you_mean(_names.near(name, known))
        raise ValueError(
            f"`{argument}` must be one of `keras_sam."
            f"{ARGUMENTS[argument].module}`, another callable, or the name of "
            f"one of {list(known)}. {meant}Received: {name!r}"
        )
    return classes[found[0]]


def _classes(argument: str, kind: type[Part] | None) -> dict[str, type[Part]]:
    role, module, _ = ARGUMENTS[argument]
    classes = _registration.classes(f"keras_sam.{module}")
    return {n: c for n, c in classes.items() if issubclass(c, kind or role)}
