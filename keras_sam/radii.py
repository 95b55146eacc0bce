"""Radii rho that change during training, in addition to Keras's schedules.

`rho` may be any `keras.optimizers.schedules.LearningRateSchedule` of the
optimizer's iterations. The schedules of Keras cover warm-up, decay and steps.
With `Settable` a callback decides.
"""

import dataclasses
from typing import Any

import keras

from keras_sam import _validation
from keras_sam._registration import exported

__all__ = ["LinearInLearningRate", "Settable"]

_LARGEST = 3.4028234e38  # Of float32, nearly.


@exported
class LinearInLearningRate(keras.optimizers.schedules.LearningRateSchedule):
    """`rho_min + (rho_max - rho_min) (lr - lr_min) / (lr_max - lr_min)`.

    Args:
        learning_rate: `LearningRateSchedule`, the learning rate of the
            optimizer.
        rho_max: Float, at least 0, the radius where the learning rate is
            lr_max.
        rho_min: Float, at least 0, the radius where the learning rate is
            lr_min.
        lr_max: Float.
        lr_min: Float, below lr_max.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.

    Reference: GSAM, arXiv:2203.08065, algorithm 1, as in the authors' code.
    """

    def __init__(
        self,
        learning_rate: keras.optimizers.schedules.LearningRateSchedule,
        rho_max: float,
        rho_min: float,
        lr_max: float,
        lr_min: float = 0.0,
    ) -> None:
        super().__init__()
        if not isinstance(
            learning_rate, keras.optimizers.schedules.LearningRateSchedule
        ):
            raise TypeError(
                "`learning_rate` must be a "
                "`keras.optimizers.schedules.LearningRateSchedule`. For a "
                "constant learning rate, pass a number as the `rho` of the "
                f"wrapper. Received: {learning_rate!r}"
            )
        self.learning_rate = learning_rate
        self.rho_max = _validation.number("rho_max", rho_max, 0.0)
        self.rho_min = _validation.number("rho_min", rho_min, 0.0)
        self.lr_max = _validation.number("lr_max", lr_max)
        self.lr_min = _validation.number("lr_min", lr_min)
        if self.lr_min >= self.lr_max:
            raise ValueError(
                "`lr_min` must be below `lr_max`. Received: "
                f"lr_min={lr_min!r}, lr_max={lr_max!r}"
            )

    def __call__(self, step: Any) -> Any:
        """Returns the radius after a number of iterations."""
        share = self.learning_rate(step) - self.lr_min
        share = share / (self.lr_max - self.lr_min)
        return self.rho_min + (self.rho_max - self.rho_min) * share

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the constructor, serialized."""
        return {
            "learning_rate": keras.saving.serialize_keras_object(
                self.learning_rate
            ),
            "rho_max": self.rho_max,
            "rho_min": self.rho_min,
            "lr_max": self.lr_max,
            "lr_min": self.lr_min,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "LinearInLearningRate":
        """Returns the schedule with the given serialized arguments."""
        schedule = keras.saving.deserialize_keras_object(
            config["learning_rate"]
        )
        return cls(**{**config, "learning_rate": schedule})


@exported
@dataclasses.dataclass(frozen=True)
class Settable:
    """A radius that a callback sets: `sam.rho = 0.1`.

        sam = SAM(model, rho=radii.Settable(0.01))

        def warm_up(epoch, logs):
            sam.rho = min(0.01 * (epoch + 1), 0.05)

        sam.fit(x, y, callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_begin=warm_up)
        ])

    The wrapper holds the present value as a non-trainable float32 weight, and
    `sam.rho` returns it as a float. A new value counts from the next step on,
    compiled or not, and is the same on all replicas. With
    `steps_per_execution` it counts from the next execution on, since callbacks
    run between executions. Under a `ParameterServerStrategy` it counts for a
    step that a worker begins later. Where there are several workers, all of
    them must set the same value.

    Files and backups hold the present value. A training that resumes in the
    middle of an epoch calls `on_epoch_begin` of that epoch once more. So
    compute a new value from the number of the epoch or step, not from the
    present value.

    Args:
        value: Float, at least 0, the first radius.

    Raises:
        TypeError: If the value is no number. (`sam.rho = ...` raises the same
            errors.)
        ValueError: If the value is negative, or not finite in float32.
    """

    value: float

    def __post_init__(self) -> None:
        value = _validation.number("rho", self.value, 0.0, _LARGEST)
        object.__setattr__(self, "value", value)

    def get_config(self) -> dict[str, Any]:
        """Returns the first radius."""
        return {"value": self.value}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Settable":
        """Returns the radius with the given first value."""
        return cls(**config)
