"""Schedules of the learning rate, in addition to the schedules of Keras.

A schedule counts the optimizer's iterations, as the cadences do. So the two can
begin something in the same step: docs/late_phase.md.
"""

from typing import Any

import keras
from keras import ops

from keras_sam import _validation
from keras_sam._registration import exported

__all__ = ["WarmupStableDecay"]


@exported
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises to a learning rate, keeps it, and lets it fall at the end.

        rise(t) = min((t + 1) / warmup_steps, 1)
        p(t) = (t - decay_start) / (steps - decay_start),  cut to [0, 1]
        rate(t) = rise(t) (end + (learning_rate - end) fall(p(t)))

    with `fall(p) = 1 - p`, or `(1 + cos(pi p)) / 2` for the shape "cosine".
    Iteration `decay_start` is the last one with the whole learning rate, and
    the rate is `end` from iteration `steps` on.

    Args:
        learning_rate: Float above 0, the highest rate.
        steps: Int, at least 1, the iterations of the whole training.
        decay_start: Int, at least 0 and below `steps`, where the rate begins to
            fall: `keras_sam.cadences.LatePhase(...).start`.
        warmup_steps: Int, at least 0 and at most `decay_start`, the iterations
            that rise linearly.
        end: Float, at least 0 and at most `learning_rate`, the last rate.
        shape: String, "linear" or "cosine", how the rate falls.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.

    Reference: the three phases are MiniCPM's, arXiv:2404.06395, which decays
    exponentially; the shapes are `wsd` and `cosine_tail` of the package
    temperon 0.1.1.
    """

    def __init__(
        self,
        learning_rate: float,
        steps: int,
        decay_start: int,
        warmup_steps: int = 0,
        end: float = 0.0,
        shape: str = "linear",
    ) -> None:
        super().__init__()
        self.learning_rate = _validation.positive(
            "learning_rate", learning_rate
        )
        self.steps = _validation.integer("steps", steps, 1)
        self.decay_start = _validation.integer("decay_start", decay_start, 0)
        if self.decay_start >= self.steps:
            raise ValueError(
                f"`decay_start` must be below `steps`, {self.steps}, or the "
                f"rate never falls. Received: {decay_start!r}"
            )
        self.warmup_steps = _validation.integer("warmup_steps", warmup_steps, 0)
        if self.warmup_steps > self.decay_start:
            raise ValueError(
                "`warmup_steps` must be at most `decay_start`, "
                f"{self.decay_start}, since the rate first rises and then "
                f"falls. Received: {warmup_steps!r}"
            )
        self.end = _validation.number("end", end, 0.0, self.learning_rate)
        self.shape = _validation.choice("shape", shape, ("linear", "cosine"))
        falling = steps - decay_start
        # Keras's own, which also cut off what is after the end.
        schedules = keras.optimizers.schedules
        self._fall = (
            schedules.PolynomialDecay(self.learning_rate, falling, self.end)
            if shape == "linear"
            else schedules.CosineDecay(
                self.learning_rate, falling, self.end / self.learning_rate
            )
        )

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate after a number of iterations."""
        step = ops.cast(step, "float32")
        rate = self._fall(ops.maximum(step - self.decay_start, 0.0))
        if self.warmup_steps:
            rate = rate * ops.minimum((step + 1) / self.warmup_steps, 1.0)
        return rate

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor."""
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "decay_start": self.decay_start,
            "warmup_steps": self.warmup_steps,
            "end": self.end,
            "shape": self.shape,
        }
