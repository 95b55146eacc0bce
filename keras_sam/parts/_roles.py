"""The roles of parts, each with its hooks."""

import functools
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import ClassVar

from keras_sam.parts._part import Part
from keras_sam.parts._part import Remembering


class Direction(Remembering):
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


class Descent(Remembering):
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


class Cadence(Remembering):
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


class Start(Remembering):
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
