"""One train step on one batch, but for the update of the weights."""

import math
from typing import NamedTuple

from keras import ops
from keras import tree

from keras_sam import parts
from keras_sam import vectors
from keras_sam._algorithm import measures
from keras_sam._algorithm.climb import Climb
from keras_sam._algorithm.objective import Passes
from keras_sam._backend import control_flow
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._types import Outcome
from keras_sam.cadences import Every


class _Update(NamedTuple):
    """What a climb, or its absence, amounts to.

    Attributes:
        grads: List of tensors, the gradient to descend with.
        correction: List of tensors, see `descents.Decoupled`, or empty.
        memory: List of the memories of direction, descent, cadence and
            `Climbs`.
        finite: List of one scalar bool tensor, whether the gradients of all
            passes are, empty without loss scale.
        measured: List of what `tracking.measured` returns, or empty.
    """

    grads: list
    correction: list
    memory: list
    finite: list
    measured: list


class Climbs:
    """Remembers how many steps have climbed, a float, for the mean of replicas.

    Args:
        sam: The wrapper. Nothing is counted if all steps climb, or none.
    """

    def __init__(self, sam):
        if sam.ascent_steps > 0 and sam.cadence != Every():
            self.init = lambda params: ops.zeros(())


def takes_slices(sam):
    """Whether gradients of embeddings may be `tf.IndexedSlices` in a step.

    All that sees them must take them. Means over replicas or parts of a batch,
    conditionals, and division by a constant loss scale in Keras do not.
    """
    if (
        replicas.strategic()
        or (sam.num_batch_splits or 1) > 1
        or sam.optimizer.loss_scale_factor is not None
    ):
        return False
    used = [sam.start]
    if sam.ascent_steps > 0:
        used += [sam.direction, sam.descent]
    return (
        all(part is None or parts.takes_slices(part) for part in used)
        and (sam.ascent_steps == 0 or sam.cadence == Every())
        and not parts.decoupled(sam.descent)
    )


class Step:
    """The climb of a wrapper on one batch.

    Args:
        sam: The wrapper.
        evaluator: `evaluator.Evaluator`.
        moving: `perturbed.Moving`.
        batch: `functional.Batch`.
        state: List of tensors, which all passes start from.
    """

    def __init__(self, sam, evaluator, moving, batch, state):
        self._sam = sam
        self._evaluator = evaluator
        self._moving = moving
        self._passes = Passes(sam, evaluator, batch, state)
        self._weights = values.read(evaluator.params)
        self._loss = None  # The clean one, of this replica.
        self._rho = self._passes.context.value(sam.rho)

    def outcome(self, memory):
        """Returns the `Outcome`.

        Args:
            memory: List of the memories of start, direction, descent,
                cadence, and `Climbs`.
        """
        start, *memory = memory
        params, start = self._begin(start)
        point = self._passes.evaluate(params)
        self._passes.clean = self._passes.shared(point)
        self._loss = point.loss
        update = self._update(memory)
        grads, correction = update.grads, update.correction
        measured = update.measured
        if self._evaluator.loss_scaled:
            # An overflow in any pass makes the optimizer skip the step.
            finite = ops.all(ops.stack([*update.finite, *_kept(update)]))
            factor = ops.where(finite, 1.0, math.nan)
            grads = vectors.scale(factor, grads)
            correction = vectors.scale(factor, correction)
            measured = [ops.where(finite, m, 0) for m in measured]
        if hasattr(self._sam.start, "learn"):
            start = self._sam.start.learn(self._moving.pick(grads), start)
        return Outcome(
            point.loss,
            grads,
            correction,
            point.y_pred,
            point.state,
            point.overwrites,
            [start, *update.memory],
            measured,
        )

    def _begin(self, memory):
        """Returns where the clean pass is, and the memory of the start."""
        start = self._sam.start
        if start is None:
            return self._weights, memory
        weights = self._moving.pick(self._weights)
        step, memory = parts.call(
            start,
            weights,
            memory=memory,
            context=self._passes.context.of(self._moving, self._weights, 0),
        )
        step = parts.tensors(start, step, len(weights))
        moved = vectors.add(weights, vectors.scale(self._rho, step))
        return self._moving.put(self._weights, moved), memory

    def _update(self, memory):
        """Climbs if it is time to; returns the `_Update`."""
        sam = self._sam
        direction, descent, cadence, count = memory
        climbs = False
        if sam.ascent_steps > 0:
            climbs, cadence = parts.call(
                sam.cadence,
                self._passes.clean,
                memory=cadence,
                context=self._passes.context,
            )
            climbs = parts.flag(sam.cadence, climbs)

        def climb():
            return self._climb(direction, descent, cadence, count)

        def rest():
            return self._rest(direction, descent, cadence, count)

        if not sam.sync_perturbations or isinstance(climbs, bool):
            return control_flow.cond(climbs, climb, rest)
        # Collectives cannot be in a conditional, so only passes are.
        self._passes.skip_unless(climbs)
        return tree.map_structure(
            lambda a, b: ops.where(climbs, a, b), climb(), rest()
        )

    def _climb(self, direction, descent, cadence, count):
        """Climbs, given memories; returns the `_Update`."""
        sam, passes, clean = self._sam, self._passes, self._passes.clean
        finite, last = passes.finite(clean), None

        def visit(params):
            nonlocal last
            batch = passes.chosen(sam.descent_samples, params)
            alone = passes.evaluate(params, batch=batch)
            point = passes.shared(alone)
            last = point._replace(loss=alone.loss)
            finite.extend(passes.finite(point))
            return point

        climb = Climb(
            visit,
            passes.slope,
            clean,
            self._weights,
            self._moving,
            sam.direction,
            direction,
            passes.context,
            self._rho,
            sam.ascent_steps,
            sam.radius,
        )
        result, descent = parts.call(
            sam.descent,
            clean,
            iter(climb),
            memory=descent,
            context=passes.context,
        )
        grads, correction = parts.split(sam.descent, result, clean)
        if hasattr(sam.cadence, "learn"):
            cadence = sam.cadence.learn(clean, grads, cadence)
        count = tree.map_structure(lambda climbs: climbs + 1, count)
        memory = [climb.memory, descent, cadence, count]
        # As many flags as `_rest` returns, for the conditional.
        finite = [ops.all(ops.stack(finite))] if finite else []
        return _Update(grads, correction, memory, finite, self._measured(last))

    def _measured(self, last):
        """Returns `_Update.measured`, given the last point, None if none is."""
        every = int(self._sam.track)
        if not every:
            return []
        # Inner products of all weights, hence not in every step.
        now = every == 1 or self._passes.context.iterations % every == 0
        clean = self._passes.clean
        return [
            control_flow.cond(
                now,
                lambda: measures.measured(self._loss, clean, last),
                measures.nothing,
            )
        ]

    def _rest(self, direction, descent, cadence, count):
        """Returns the `_Update` of a step without a climb."""
        clean = self._passes.clean
        grads = clean.grads
        if self._sam.ascent_steps > 0 and hasattr(self._sam.cadence, "rest"):
            grads = self._sam.cadence.rest(clean, cadence)
        correction = []
        if parts.decoupled(self._sam.descent):
            correction = vectors.scale(0.0, grads)
        memory = [direction, descent, cadence, count]
        measured = [measures.nothing()] if self._sam.track else []
        finite = self._passes.finite(clean)
        return _Update(grads, correction, memory, finite, measured)


def _kept(update):
    """Returns whether the memory can be kept, a list of one bool or none.

    Where a pass for it alone overflows, the loss scale must fall as well.
    """
    memory = tree.flatten(update.memory)
    return [vectors.all_finite(memory)] if memory else []
