"""The roles that the parts of a method play, with every hook they may have.

A part is any callable. A subclass of the class of its role sees the hooks, with
their defaults, and its fields become its Keras config:

    Direction   direction(grads, params) -> step         where the climb steps
    Descent     descent(clean, path) -> grads            what is descended with
    Cadence     cadence(clean) -> climbs                 which steps climb
    Start       start(params) -> step                    where the clean pass is
    Samples     samples(clean_losses, losses) -> indices which examples count

A part that remembers something from step to step has a hook `init`. It takes
its memory as the last positional argument and returns it last:

    init(params) -> memory
    direction(grads, params, memory) -> (step, memory)

`memory` is any nested structure of tensors. The model holds it as
non-trainable weights: it is saved, restored and, over replicas and splits of a
batch, averaged (float tensors; others must not depend on the data).

A part that needs more takes a keyword argument `context`, a `Context`.

Hooks are looked up once, when the wrapper is made. A method whose name is
nearly that of a hook (`lern`) is an error there, and so is a hook of another
role.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

import keras

__all__ = [
    "OPTIONAL",
    "PARTS",
    "Cadence",
    "Context",
    "Descent",
    "Direction",
    "Part",
    "Samples",
    "Start",
    "last",
]

# The arguments that are parts, and the module of `keras_sam` to look for them.
PARTS = {
    "direction": "directions",
    "descent": "descents",
    "cadence": "cadences",
    "start": "starts",
    "ascent_samples": "samples",
    "descent_samples": "samples",
}
# Those that may be None.
OPTIONAL = ("start", "ascent_samples", "descent_samples")


class Part:
    """Base of frozen dataclasses whose fields are their Keras config.

    Subclasses are saved with the model once they are registered with
    `keras.saving.register_keras_serializable`.
    """

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Does what the role says."""
        raise NotImplementedError(f"{type(self).__name__} has no `__call__`")

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raises ValueError if the part does not go with other arguments.

        Args:
            arguments: The arguments of the wrapper by name, all checked alone.
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

    # Whether gradients of embeddings may come as `tf.IndexedSlices`, on which
    # `add`, `subtract`, `scale`, `dot`, `norm` and `unit` of `vectors` work.
    # They come as slices if all parts take them. A subclass must say so itself,
    # since what it overrides may not take them.
    takes_slices: ClassVar[bool] = False

    def init(self, params: list) -> Any:
        """Returns the first memory, any nested structure of tensors.

        Args:
            params: List of tensors shaped like the variables that the part
                works on: the perturbed ones for directions and starts, all
                trained ones for descents and cadences.
        """
        return ()


class Direction(_Remembering):
    """Where a step of the climb points: `direction(grads, params) -> step`.

    `grads` and `params` are lists of tensors of equal shapes, the gradient at
    the present point of the climb and that point, of the perturbed variables
    alone. `step` is a list of tensors of the same shapes. The climb moves by
    the radius of a step times `step`.
    """

    # A direction that only rescales the gradient may define a method
    # `factor(grads)`, which returns the scale, a scalar tensor. The climb then
    # multiplies each gradient once instead of twice. A subclass does not
    # inherit it: its `__call__` may be another.
    factor: ClassVar[Callable[..., Any] | None] = None


class Descent(_Remembering):
    """What the gradients become: `descent(clean, path) -> grads`.

    `clean` is the point z_0, and `path` an iterator over z_1, ..., z_n. A point
    has `params`, `loss` and `grads`. It is evaluated when the iterator reaches
    it, so a descent that folds gradients as they come needs no more memory for
    more steps. `grads` is a list of tensors, for all trained variables.
    """

    # Whether it returns a pair of lists instead. The optimizer gets the first.
    # The weights also move by minus the learning rate times the second.
    decoupled: ClassVar[bool] = False


class Cadence(_Remembering):
    """Whether this train step climbs: `cadence(clean) -> climbs`.

    `clean` is the point z_0. `climbs` is a bool or a scalar bool tensor. All
    replicas must decide alike: what depends on the data needs
    `context.average`. Parts of a split batch decide on their own.
    """

    def rest(self, clean: Any, memory: Any) -> list:
        """Returns the gradient to descend with in a step that does not climb.

        Args:
            clean: The point z_0.
            memory: The memory, which such a step does not change further.
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

    `params` are the perturbed weights, a list of tensors, and `step` has their
    shapes: z_0 = w + rho * step.
    """

    def learn(self, grads: list, memory: Any) -> Any:
        """Returns the memory after the step.

        Args:
            grads: List of tensors, the gradient that the step descends with,
                of the perturbed variables.
            memory: The memory that the call has returned.
        """
        return memory


class Samples(Part):
    """Which examples count: `samples(clean_losses, losses) -> indices`.

    Both arguments are functions without arguments. Each returns a tensor of one
    loss an example, up to an addend common to all: the first at z_0, the second
    at the present point of the climb, at the cost of a forward pass. What is
    not called is not computed. Losses include `sample_weight` and
    `class_weight`. Samples have no memory.
    """


class Context:
    """What a step offers to a part that asks for more than its arguments.

    `params` are values of all trained variables, or of the perturbed ones for
    directions and starts. Everything is of the batch, or the part of it, that
    the climb is on. With `sync_perturbations` it is averaged over replicas.

    Attributes:
        iterations: Scalar int tensor, those of the optimizer.
        examples: Int or scalar int tensor, the size of the batch.
        ascent_step: Int, the number of steps of the climb already taken.
    """

    iterations: Any
    examples: Any
    ascent_step: int

    def loss(self, params: list) -> Any:
        """Returns the loss at params, at the cost of a forward pass."""
        raise NotImplementedError

    def gradient(self, params: list) -> list:
        """Returns the gradient at params, a list of tensors."""
        raise NotImplementedError

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian at params times a list of tensors."""
        raise NotImplementedError

    def squared_gradients(self, params: list, examples: int) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, how many of the batch at most, the first ones.
        """
        raise NotImplementedError

    def filters(self) -> list[tuple[int, ...] | None]:
        """Returns the axes along which filters lie, for each variable.

        A filter makes one output: all entries of one index of these axes. It
        is None for a variable without filters, such as a bias.
        """
        raise NotImplementedError

    def average(self, tensor: Any) -> Any:
        """Returns the mean over replicas of a tensor, synchronized or not.

        A function for `when` must not call it.
        """
        raise NotImplementedError

    def when(
        self, due: Any, function: Callable[["Context"], list], otherwise: list
    ) -> list:
        """Returns what a function returns when it is due.

        The function runs in a conditional. Replicas cannot reach each other in
        it; what it returns is averaged afterwards.

        Args:
            due: Scalar bool tensor, the same on all replicas.
            function: Function from the `Context` of this replica alone to a
                list of tensors.
            otherwise: List of tensors of the same shapes, the same on all
                replicas.
        """
        raise NotImplementedError

    def draws(self, part: Any) -> Any:
        """Returns the random draws of a part with an attribute `seed`.

        They have methods `uniform(shape)` and `normal(shape, dtype)`. They
        depend on the class of the part, its seed, the number of the train step
        and that of the ascent step. All replicas draw the same.
        """
        raise NotImplementedError

    def value(self, number: Any) -> Any:
        """Returns a number as it is, or the present value of a schedule."""
        raise NotImplementedError


def last(clean: Any, path: Iterable) -> Any:
    """Returns the last point of the path, or the clean one of an empty path."""
    point = clean
    for point in path:  # noqa: B007
        pass
    return point
