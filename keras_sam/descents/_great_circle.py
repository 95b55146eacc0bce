"""Descents along the great circle from the way climbed to the gradient."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from keras import ops

from keras_sam import _validation
from keras_sam import parts
from keras_sam import vectors
from keras_sam._backend import control_flow
from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class Slerp(Descent):
    """`||g_n|| (sin((1 - a) t) u + sin(a t) v) / sin t`, on a great circle.

    `u` is the unit vector from w to `z_n`, `v` is the unit vector along `g_n`,
    and `t` is the angle between them.

    Args:
        alpha: Float, a. 0 is along `u`, 1 is `Last`, more goes beyond.

    Reference: XSAM, arXiv:2603.10048, for a given alpha, as in the authors'
    code.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        _validation.number("alpha", self.alpha)

    def __call__(self, clean: Any, path: Iterable) -> list:
        last = parts.last(clean, path)
        return great_circle(clean, last, self.alpha)


@exported
@dataclasses.dataclass(frozen=True)
class SearchedSlerp(Descent):
    """`Slerp` with the alpha of the highest loss at distance `rho_max`.

    `Slerp` returns `d = ||g_n|| (sin((1 - a) t) u + sin(a t) v) / sin t` for an
    alpha, a. The search compares the losses on the batch at
    `w + rho_max d / ||d||`, for 21 alphas from 0 to 2. It costs 21 forward
    passes, in the first of each `period` train steps that climb. (The authors
    search in the first step of an epoch.) The memory holds the mean over
    replicas of their alphas.

    Args:
        rho_max: Float, above 0.
        period: Int, at least 1, the train steps that climb with one alpha.

    Reference: XSAM, arXiv:2603.10048; as in the authors' code.
    """

    rho_max: float = 0.3
    period: int = 100

    def __post_init__(self) -> None:
        _validation.positive("rho_max", self.rho_max)
        _validation.integer("period", self.period, 1)

    def init(self, params: list) -> Any:
        return {"alpha": ops.ones(()), "steps": ops.zeros((), "int32")}

    def __call__(
        self, clean: Any, path: Iterable, memory: Any, *, context: Context
    ) -> tuple[list, Any]:
        last = parts.last(clean, path)
        dtype = memory["alpha"].dtype
        grid = ops.arange(0, 21, dtype=dtype) / 10
        steps = memory["steps"]
        due = steps % self.period == 0

        def losses(replica: Context) -> list:
            def loss(alpha: Any) -> Any:
                way = vectors.unit(great_circle(clean, last, alpha))
                move = vectors.scale(self.rho_max, way)
                value = replica.loss(vectors.add(clean.params, move))
                return ops.cast(value, dtype)

            return [control_flow.each(loss, grid)]

        (values,) = context.when(due, losses, [ops.zeros_like(grid)])
        alpha = ops.where(due, grid[ops.argmax(values)], memory["alpha"])
        grads = great_circle(clean, last, alpha)
        return grads, {"alpha": alpha, "steps": steps + 1}


def great_circle(clean: Any, last: Any, alpha: Any) -> list:
    """Returns the gradient of `Slerp`.

    Args:
        clean: The point z_0.
        last: The point z_n.
        alpha: Float, or scalar tensor.
    """
    u = vectors.unit(vectors.subtract(last.params, clean.params))
    v = vectors.unit(last.grads)
    angle = ops.arccos(ops.clip(vectors.dot(u, v), -1.0, 1.0))
    # Where u and v are parallel, sine is 0: use the limit for small angles.
    sine = ops.sin(angle)
    parallel = sine < 1e-6
    safe = ops.where(parallel, 1.0, sine)
    near = ops.where(parallel, 1 - alpha, ops.sin((1 - alpha) * angle) / safe)
    far = ops.where(parallel, alpha, ops.sin(alpha * angle) / safe)
    way = vectors.add(vectors.scale(near, u), vectors.scale(far, v))
    return vectors.scale(vectors.norm(last.grads), way)
