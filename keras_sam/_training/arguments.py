"""The arguments of the wrapper, as its attributes."""

from typing import Any

from keras_sam._training import radius_weight


class Argument:
    """An argument of the wrapper, as a read-only attribute."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, sam: Any, owner: type | None = None) -> Any:
        if sam is None:
            return self
        if self._name not in vars(sam):
            raise AttributeError(self._name)
        return vars(sam)[self._name]

    def __set__(self, sam: Any, value: Any) -> None:
        raise AttributeError(
            f"`{self._name}` is fixed when a model is wrapped. Wrap the model "
            f"again: SharpnessAwareMinimization(sam.model, {self._name}=...). "
            "For a radius that changes during training, give `rho` a "
            "`keras.optimizers.schedules.LearningRateSchedule`, or "
            "`keras_sam.radii.Settable(0.05)`, which can be set. "
            f"Received: {value!r}"
        )


class Radius(Argument):
    """The radius: it can be set where it is a `radii.Settable`."""

    def __get__(self, sam: Any, owner: type | None = None) -> Any:
        held = super().__get__(sam, owner)
        settable = isinstance(held, radius_weight.RadiusWeight)
        return float(held) if settable else held

    def __set__(self, sam: Any, value: Any) -> None:
        held = super().__get__(sam)
        if isinstance(held, radius_weight.RadiusWeight):
            held.assign(value)
        else:
            super().__set__(sam, value)
