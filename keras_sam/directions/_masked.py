"""Sparse SAM: only the weights of a mask move."""

import dataclasses
import math
from typing import Any

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._registration import exported
from keras_sam.parts import Direction
from keras_sam.parts import Part


@exported
@dataclasses.dataclass(frozen=True)
class FisherMask(Part):
    """Keeps the weights of the largest empirical Fisher information.

    That is the mean square of the gradients of single examples, the first ones
    of the batch. (The authors draw 1024 from the training set.)

    Args:
        examples: Int, at least 1: so many, or all there are. Each costs an
            evaluation of a batch of one.

    Reference: SSAM-F, arXiv:2210.05177, as in the authors' code but for these
    examples.
    """

    examples: int = 128

    def __post_init__(self):
        _validation.integer("examples", self.examples, 1)

    def first(self, params, kept):
        """Returns a mask of all weights, until there is a score."""
        del kept
        return [ops.ones(w.shape, "int8") for w in params]

    def score(self, alone, grads, params):
        """Returns what decides on the next mask, of the params' shapes."""
        del grads
        return alone.squared_gradients(params, self.examples)

    def renew(self, scores, mask, kept, climbs, context):
        """Returns the next mask, a flat one, from averaged scores."""
        del mask, climbs, context
        return _ranks(-scores) < kept


@exported
@dataclasses.dataclass(frozen=True)
class DynamicMask(Part):
    """Drops weights where the loss is flat, and lets as many others in.

    Of the weights of the mask those of the smallest `|g|` leave it, a fraction
    that falls from `drop` to 0 along a cosine; as many of the others, drawn at
    random, enter. The first mask is random.

    Args:
        steps: Int, at least 1, the climbs of the whole training.
        drop: Float in [0, 1).
        seed: Int.

    Reference: SSAM-D, arXiv:2210.05177, as in the authors' code but for how
    counts are rounded.
    """

    steps: int
    drop: float = 0.5
    seed: int = 0

    def __post_init__(self):
        _validation.integer("steps", self.steps, 1)
        _validation.fraction("drop", self.drop)
        _validation.integer("seed", self.seed, 0)

    def first(self, params, kept):
        """Returns a random mask."""
        order = _flat(
            [
                keras.random.uniform(w.shape, seed=self.seed + i)
                for i, w in enumerate(params)
            ]
        )
        return _like(params, _ranks(order) < kept)

    def score(self, alone, grads, params):
        """Returns what decides on the next mask, of the params' shapes."""
        del alone, params
        return [ops.abs(g) for g in grads]

    def renew(self, scores, mask, kept, climbs, context):
        """Returns the next mask, a flat one, from averaged scores."""
        past = ops.minimum(ops.cast(climbs, "float32") / self.steps, 1.0)
        fraction = self.drop * 0.5 * (1 + ops.cos(math.pi * past))
        count = ops.cast(ops.round(fraction * kept), "int32")
        count = ops.minimum(count, mask.shape[0] - kept)
        # Those that take no part rank last.
        flat = _ranks(ops.where(mask, scores, math.inf)) < count
        drawn = ops.where(mask, -1.0, context.draws(self).uniform(mask.shape))
        entering = _ranks(-drawn) < count
        return ops.logical_or(
            ops.logical_and(mask, ops.logical_not(flat)), entering
        )


@exported
@dataclasses.dataclass(frozen=True)
class Sparse(Direction):
    """`m g / ||g||`, with a mask m of zeros and ones.

    The norm is that of the whole gradient, so steps are shorter than one. In
    the first of each `period` steps that climb, scores are measured; averaged
    over replicas, they decide on a mask that holds from the next one on. (The
    authors' masks hold at once, and that of SSAM-F is empty before.)

    Args:
        mask: `FisherMask` or `DynamicMask`.
        sparsity: Float in [0, 1), the fraction of the perturbed weights, all
            variables together, that do not move.
        period: Int, at least 1.

    Reference: SSAM, arXiv:2210.05177; the norm as in the authors' code.
    """

    mask: Any = FisherMask()
    sparsity: float = 0.5
    period: int = 100

    def __post_init__(self):
        if not isinstance(self.mask, (FisherMask, DynamicMask)):
            raise TypeError(
                "`mask` must be a FisherMask or a DynamicMask. "
                f"Received: {self.mask!r}"
            )
        _validation.fraction("sparsity", self.sparsity)
        _validation.integer("period", self.period, 1)

    def init(self, params):
        return {
            "climbs": ops.zeros((), "int32"),
            "mask": self.mask.first(params, self._kept(params)),
            "scores": vectors.scale(0.0, params),
        }

    def __call__(self, grads, params, memory, *, context):
        if context.ascent_step == 0:
            memory = self._renewed(grads, params, memory, context)
        step = [
            ops.where(m > 0, u, 0)
            for m, u in zip(memory["mask"], vectors.unit(grads), strict=True)
        ]
        return step, memory

    def _renewed(self, grads, params, memory, context):
        climbs, mask, scores = (memory[k] for k in ("climbs", "mask", "scores"))

        def renew(alone):
            renewed = self.mask.renew(
                _flat(scores),
                _flat(mask) > 0,
                self._kept(params),
                climbs - 1,
                alone,
            )
            return _like(params, renewed)

        due = ops.logical_and(climbs > 0, (climbs - 1) % self.period == 0)
        mask = context.when(due, renew, mask)
        due = climbs % self.period == 0
        scores = context.when(
            due, lambda alone: self.mask.score(alone, grads, params), scores
        )
        return {"climbs": climbs + 1, "mask": mask, "scores": scores}

    def _kept(self, params):
        weights = sum(math.prod(w.shape) for w in params)
        return round((1 - self.sparsity) * weights)


def _ranks(values):
    """Returns the place of each value, from the smallest, 0, on."""
    return ops.argsort(ops.argsort(values))


def _flat(tensors):
    return ops.concatenate([ops.reshape(t, [-1]) for t in tensors])


def _like(params, flat):
    """Returns a flat mask as a list of masks of the params' shapes."""
    masks, taken = [], 0
    for w in params:
        size = math.prod(w.shape)
        part = ops.cast(flat[taken : taken + size], "int8")
        masks.append(ops.reshape(part, w.shape))
        taken += size
    return masks
