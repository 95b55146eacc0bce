"""Sparse SAM: only the weights of a mask move."""

import dataclasses
import math
from typing import Any
from typing import ClassVar

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Direction
from keras_sam.parts import Part


@exported
@dataclasses.dataclass(frozen=True)
class FisherMask(Part):
    """Keeps the weights of the largest empirical Fisher information.

    The empirical Fisher information is the mean square of the gradients of
    single examples, here the first ones of some batches. (The authors draw 16
    to 1024 examples from the training set, at the weights after the train
    step.)

    Args:
        examples: Int, at least 1, the largest number of examples of a batch to
            use. Each costs an evaluation of a batch of one.
        batches: Int, at least 1, the number of train steps that climb, one
            after the other, whose examples count for one mask.

    Reference: SSAM-F, arXiv:2210.05177, as in the authors' code
    (Mi-Peng/Sparse-Sharpness-Aware-Minimization, `solver/sam.py`) but for the
    choice of examples.
    """

    examples: int = 128
    batches: int = 1

    def __post_init__(self) -> None:
        _validation.integer("examples", self.examples, 1)
        _validation.integer("batches", self.batches, 1)

    def first(self, params: list, size: int) -> list:
        """Returns a mask of all weights, which holds until there are scores."""
        del size
        return [ops.ones(w.shape, "int8") for w in params]

    def score(self, context: Context, grads: list, params: list) -> list:
        """Returns the scores of all weights, shaped like the params."""
        del grads
        return context.squared_gradients(params, self.examples)

    def renew(
        self, scores: Any, mask: Any, size: int, climbs: Any, context: Context
    ) -> Any:
        """Returns the next mask of `size` weights. All tensors are flat."""
        del mask, climbs, context
        return _ranks(-scores) < size


@exported
@dataclasses.dataclass(frozen=True)
class DynamicMask(Part):
    """Drops weights where the loss is flat, and lets as many others in.

    A fraction of the weights leaves the mask: the weights with the smallest
    `|g|`. The fraction falls from `drop` to 0 along a cosine. As many of the
    other weights, drawn at random, enter the mask. The first mask is random.

    Args:
        steps: Int, at least 1, the number of climbs in the whole training.
        drop: Float in [0, 1).
        seed: Int, at least 0, of the first mask and of the draws.

    Reference: SSAM-D, arXiv:2210.05177, as in the authors' code but for how
    counts are rounded.
    """

    steps: int
    drop: float = 0.5
    seed: int = 0
    batches: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _validation.integer("steps", self.steps, 1)
        _validation.fraction("drop", self.drop)
        _validation.integer("seed", self.seed, 0)

    def first(self, params: list, size: int) -> list:
        """Returns a random mask of `size` weights."""
        order = _flat(
            [
                keras.random.uniform(w.shape, seed=self.seed + i)
                for i, w in enumerate(params)
            ]
        )
        return _like(params, _ranks(order) < size)

    def score(self, context: Context, grads: list, params: list) -> list:
        """Returns the scores of all weights, shaped like the params."""
        del context, params
        return [ops.abs(g) for g in grads]

    def renew(
        self, scores: Any, mask: Any, size: int, climbs: Any, context: Context
    ) -> Any:
        """Returns the next mask of `size` weights. All tensors are flat."""
        progress = ops.minimum(ops.cast(climbs, "float32") / self.steps, 1.0)
        fraction = self.drop * 0.5 * (1 + ops.cos(math.pi * progress))
        count = ops.cast(ops.round(fraction * size), "int32")
        count = ops.minimum(count, mask.shape[0] - size)
        # Only weights of the mask can leave it: the others rank last.
        leaves = _ranks(ops.where(mask, scores, math.inf)) < count
        # Only the others can enter: the weights of the mask rank last.
        draws = ops.where(mask, -1.0, context.draws(self).uniform(mask.shape))
        enters = _ranks(-draws) < count
        return ops.logical_or(
            ops.logical_and(mask, ops.logical_not(leaves)), enters
        )


@exported
@dataclasses.dataclass(frozen=True)
class Sparse(Direction):
    """`m g / ||g||`, with a mask m of zeros and ones.

    The norm is over the whole gradient, so steps are shorter than one. The
    first train step of each period that climbs measures scores, or the first
    `batches` of a `FisherMask`. Their mean over replicas decides on a mask,
    which holds from the next train step that climbs on. (So it is in the
    authors' code, but that their first mask for SSAM-F is empty: their first
    train step is plain.)

    A part does not know where epochs begin. For a new mask every 5 epochs pass
    `period=5` and the `steps_per_epoch` of the data. `fit` prints this number
    beside its progress bar.

    Args:
        mask: `FisherMask` or `DynamicMask`.
        sparsity: Float in [0, 1), the fraction of the perturbed weights, all
            variables together, that do not move.
        period: Int, at least 1, how long a mask holds: in train steps that
            climb, or in epochs with `steps_per_epoch`.
        steps_per_epoch: Int, at least 1, the train steps of an epoch that
            climb. 1 leaves `period` in train steps.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, or a period is shorter than
            the `batches` of the mask.

    Reference: SSAM, arXiv:2210.05177; the norm and the schedule by epochs as in
    the authors' code.
    """

    mask: Any = FisherMask()
    sparsity: float = 0.5
    period: int = 100
    steps_per_epoch: int = 1
    loops = True

    def __post_init__(self) -> None:
        if not isinstance(self.mask, (FisherMask, DynamicMask)):
            raise TypeError(
                "`mask` must be an instance of `directions.FisherMask` or "
                f"`directions.DynamicMask`. Received: {self.mask!r}"
            )
        _validation.fraction("sparsity", self.sparsity)
        _validation.integer("period", self.period, 1)
        _validation.integer("steps_per_epoch", self.steps_per_epoch, 1)
        if self.mask.batches > self._climbs_of_a_period:
            raise ValueError(
                "`period` times `steps_per_epoch` must be at least the "
                f"`batches` of the mask, {self.mask.batches}. Received: "
                f"{self!r}"
            )

    @property
    def _climbs_of_a_period(self) -> int:
        return self.period * self.steps_per_epoch

    def init(self, params: list) -> Any:
        return {
            "climbs": ops.zeros((), "int32"),
            "mask": self.mask.first(params, self._mask_size(params)),
            "scores": vectors.scale(0.0, params),
        }

    def __call__(
        self, grads: list, params: list, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        memory = control_flow.cond(
            context.ascent_step == 0,
            lambda: self._renewed(grads, params, memory, context),
            lambda: memory,
        )
        step = [
            ops.where(m > 0, u, 0)
            for m, u in zip(memory["mask"], vectors.unit(grads), strict=True)
        ]
        return step, memory

    def _renewed(
        self, grads: list, params: list, memory: Any, context: Context
    ) -> Any:
        """Returns the memory, with another mask and other scores if due."""
        climbs, mask, scores = (memory[k] for k in ("climbs", "mask", "scores"))
        period, batches = self._climbs_of_a_period, self.mask.batches
        since = climbs % period

        def renew(replica: Context) -> list:
            flat = self.mask.renew(
                _flat(scores),
                _flat(mask) > 0,
                self._mask_size(params),
                climbs - batches,
                replica,
            )
            return _like(params, flat)

        def score(replica: Context) -> list:
            # The first scores of a period replace those of the last one.
            found = self.mask.score(replica, grads, params)
            return [
                ops.where(since > 0, s + f, f)
                for s, f in zip(scores, found, strict=True)
            ]

        # Only the next climb finds the mean of the scores over replicas in the
        # memory, and the mask must be the same on all replicas.
        due = ops.logical_and(
            climbs >= batches, (climbs - batches) % period == 0
        )
        mask = context.when(due, renew, mask)
        scores = context.when(since < batches, score, scores)
        return {"climbs": climbs + 1, "mask": mask, "scores": scores}

    def _mask_size(self, params: list) -> int:
        """Returns how many weights the mask keeps."""
        weights = sum(math.prod(w.shape) for w in params)
        return round((1 - self.sparsity) * weights)


def _ranks(values: Any) -> Any:
    """Returns the rank of each value. The smallest value has rank 0."""
    return ops.argsort(ops.argsort(values))


def _flat(tensors: list) -> Any:
    return ops.concatenate([ops.reshape(t, [-1]) for t in tensors])


def _like(params: list, flat: Any) -> list:
    """Returns a flat mask as a list of masks, shaped like the params."""
    masks, start = [], 0
    for w in params:
        size = math.prod(w.shape)
        part = ops.cast(flat[start : start + size], "int8")
        masks.append(ops.reshape(part, w.shape))
        start += size
    return masks
