"""One train step as mathematics, up to the gradient for the optimizer.

docs/methods.md has the same step as equations.
"""

import math
from typing import NamedTuple

from keras import ops
from keras import tree

from keras_sam import vectors
from keras_sam._algorithm import measures
from keras_sam._algorithm.climb import Path
from keras_sam._algorithm.context import StepContext
from keras_sam._algorithm.memory import Memory
from keras_sam._algorithm.objective import Restricted
from keras_sam._algorithm.objective import scalar
from keras_sam._types import Outcome


class Update(NamedTuple):
    """The result of the part of a step after the clean pass.

    Attributes:
        grads: List of tensors, the gradient to descend with.
        correction: List of tensors, see `adapters.Descended`, or empty.
        memory: `Memory` after the step.
        finite: List of one scalar bool tensor, whether the gradients of all
            passes are finite. It is empty without a loss scale.
        measured: List of one tensor, see `measures.of_climb`, or empty.
    """

    grads: list
    correction: list
    memory: Memory
    finite: list
    measured: list


def step(method, at, weights, memory):
    """Returns the `Outcome` of a step of a method.

    Args:
        method: `method.Method`.
        at: `objective.Objective`, the loss on the batch.
        weights: List of tensors, w.
        memory: `Memory` before the step.
    """
    z, memory = started(method, at, weights, memory)
    passed = at.evaluate(z)  # The clean pass gives loss, outputs and state.
    if method.needs_scalar_loss:
        scalar(passed.loss, f"`{method.needs_scalar_loss}`")
    clean = at.shared_point(passed)
    climbs, memory = due(method, at, clean, memory)
    update = at.choose(
        climbs,
        clean,
        lambda at: climbed(method, at, clean, weights, memory),
        lambda at: rested(method, at, clean, memory),
    )
    return finished(method, at, passed, update)


def climbed(method, at, clean, weights, memory):
    """Returns the `Update` of a step that climbs: `descent(g_0, ..., g_n)`."""
    path = Path(
        method,
        at,
        clean,
        weights,
        memory.direction,
        evaluates_end=method.evaluates_end,
    )
    context = StepContext(at, method.rho, another=path.again)
    (grads, correction), descent_memory = method.descent(
        clean, path, memory.descent, context
    )
    memory = memory._replace(
        direction=learnt(method, at, path),
        descent=descent_memory,
        cadence=method.cadence.learn(clean, grads, memory.cadence),
        climbs=tree.map_structure(lambda number: number + 1, memory.climbs),
    )
    measured = measures.measured(method.track, at.iterations, clean, path.last)
    return Update(grads, correction, memory, path.finite, measured)


def learnt(method, at, path):
    """Returns the memory of the direction after a climb."""
    if path.last is None or not method.direction.learns:
        return path.memory
    grads = at.selection.pick(path.last.grads)
    return method.direction.learn(grads, path.memory)


def rested(method, at, clean, memory):
    """Returns the `Update` of a step that does not climb: `g_0`, or `rest`."""
    grads = clean.grads
    if method.ascent_steps > 0:
        grads = method.cadence.rest(clean, memory.cadence)
    grads, correction = method.descent.without_climb(grads)
    measured = measures.unmeasured(method.track)
    return Update(grads, correction, memory, at.finite(clean), measured)


def started(method, at, weights, memory):
    """Returns (z_0, memory): `z_0 = w + rho * start(w)`, w without a start."""
    if method.start is None:
        return weights, memory
    moving = at.selection.pick(weights)
    context = StepContext(Restricted(at, weights), method.rho)
    direction, start_memory = method.start(moving, memory.start, context)
    away = vectors.scale(at.value(method.rho), direction)
    z = at.selection.put(weights, vectors.add(moving, away))
    return z, memory._replace(start=start_memory)


def due(method, at, clean, memory):
    """Returns (whether the step climbs, memory)."""
    if method.ascent_steps == 0:
        return False, memory
    climbs, cadence_memory = method.cadence(
        clean, memory.cadence, StepContext(at, method.rho)
    )
    return climbs, memory._replace(cadence=cadence_memory)


def finished(method, at, passed, update):
    """Returns the `Outcome` of a clean pass and an `Update`."""
    if at.loss_scaled:
        update = unless_overflown(update)
    memory = update.memory
    if method.start is not None:
        grads = at.selection.pick(update.grads)
        learnt = method.start.learn(grads, memory.start)
        memory = memory._replace(start=learnt)
    return Outcome(
        loss=passed.loss,
        grads=update.grads,
        correction=update.correction,
        y_pred=passed.y_pred,
        state=passed.state,
        overwrites=passed.overwrites,
        memory=memory,
        measured=update.measured,
    )


def unless_overflown(update):
    """Returns an update with NaN for gradients if any pass overflowed.

    The optimizer then skips the step and lowers the loss scale. It must also do
    so if only a pass for the memory overflowed.
    """
    memory = tree.flatten(update.memory._replace(start=()))
    flags = [*update.finite, *([vectors.all_finite(memory)] if memory else [])]
    finite = ops.all(ops.stack(flags))
    factor = ops.where(finite, 1.0, math.nan)
    return update._replace(
        grads=vectors.scale(factor, update.grads),
        correction=vectors.scale(factor, update.correction),
        measured=[ops.where(finite, m, 0) for m in update.measured],
    )
