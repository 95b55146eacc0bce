"""The callback that measures the landscape while `fit` trains."""

import math
import warnings
from typing import Any

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import landscape
from keras_sam._backend import values
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _sharpness

_NAMES = (
    "landscape_loss",
    "landscape_one_step_sharpness",
    "landscape_sharpness",
    "landscape_sharpness_gap",
    "landscape_gradient_norm",
    "landscape_gradient_cosine",
    "landscape_straightness",
)


class Landscape(keras.callbacks.Callback):
    """Logs the sharpness of the loss, and how a climb turns, during training.

    The numbers are means over the batches of fixed data, in evaluation mode.
    Most are results of functions of `keras_sam.landscape`:

        landscape_loss                  the loss at the weights
        landscape_one_step_sharpness    `one_step` of `sharpness`
        landscape_sharpness             `value` of `sharpness`
        landscape_sharpness_gap         `gap` of `sharpness`
        landscape_gradient_norm         the norm of the gradient at the weights
        landscape_gradient_cosine       the cosine of the gradients at both ends
                                        of the climb
        landscape_straightness          `straightness` of `path`

    Put this callback first in the list. Later callbacks and the history then
    find the numbers in the logs of the epoch. In an epoch without a measurement
    the numbers are NaN, since Keras's CSVLogger needs the same names in each
    epoch. If the loss is not finite or all gradients are zero, the numbers are
    NaN, too, with a warning.

    A measurement costs 2 n + 1 gradients and up to two forward passes for each
    batch of the data, where n is `ascent_steps`. The trained model is the same
    to the bit with and without the callback.

    Args:
        x: The data, as for `keras_sam.landscape.Landscape`. A few batches are
            enough.
        y: As for `keras_sam.landscape.Landscape`.
        sample_weight: As for `keras_sam.landscape.Landscape`.
        batch_size: As for `keras_sam.landscape.Landscape`.
        every: Int, at least 1.
        unit: "epoch": measure at the end of each `every`-th epoch. "step":
            measure after each `every`-th iteration of the optimizer, or after
            the execution that contains it. The logs of the epoch get the last
            measurement.
        rho: Float, above 0.
        ascent_steps: Int, at least 1.
        radius: As for `SharpnessAwareMinimization`.
        direction: As for `SharpnessAwareMinimization`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range. When training begins, also
            if the data do not fit the model.
        FloatingPointError: When training begins, if the loss is not finite.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 128,
        every: int = 1,
        unit: str = "epoch",
        rho: float = 0.05,
        ascent_steps: int = 3,
        radius: str = "split",
        direction: Any = Normalized(),
    ) -> None:
        super().__init__()
        if isinstance(x, (keras.Model, landscape.Landscape)):
            raise TypeError(
                "`x` must be the data to measure on: `Landscape(x, y)`. `fit` "
                f"gives the callback its model. Received: {x!r}"
            )
        self._data = (x, y, sample_weight, batch_size)
        self._every = _validation.integer("every", every, 1)
        self._unit = _validation.choice("unit", unit, ("epoch", "step"))
        _climbing.method(rho, ascent_steps, radius, direction)  # Checks them.
        self._climb: dict[str, Any] = {
            "rho": rho,
            "ascent_steps": ascent_steps,
            "radius": radius,
            "direction": direction,
        }
        if self._unit == "step":
            # Keras fetches the logs of each step if this method is overridden.
            self.on_train_batch_end = self._after_step

    def on_train_begin(self, logs: Any = None) -> None:
        # Each training may have another loss and other trained variables.
        *data, batch_size = self._data
        self._landscape = landscape.Landscape(
            self.model, *data, batch_size=batch_size
        )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._last = dict.fromkeys(_NAMES, math.nan)
        self._steps = self._iterations()

    def _after_step(self, batch: int, logs: Any = None) -> None:
        before, self._steps = self._steps, self._iterations()
        if self._steps // self._every > before // self._every:
            self._last = self._measure()
            logs.update(self._last)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self._unit == "epoch" and (epoch + 1) % self._every == 0:
            self._last = self._measure()
        logs.update(self._last)

    def _iterations(self) -> int:
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def _measure(self) -> dict[str, float]:
        """Returns the numbers by name, NaN if there is no finite climb."""
        try:
            return self._numbers()
        except (FloatingPointError, _sharpness.Stuck) as error:
            warnings.warn(f"No landscape to log: {error}", stacklevel=2)
            return dict.fromkeys(_NAMES, math.nan)

    def _numbers(self) -> dict[str, float]:
        at = self._landscape
        params = values.snapshot(at.variables)
        worst = landscape.sharpness(at, params=params, **self._climb)
        path = landscape.path(at, params=params, **self._climb)
        if not worst.complete or not path.complete:
            raise KeyboardInterrupt
        means = path.mean()
        numbers = (
            worst.loss,
            worst.one_step,
            worst.value,
            worst.gap,
            means["gradient_norms"][0],
            means["cosines_to_first"][-1],
            means["straightness"],
        )
        return dict(zip(_NAMES, map(float, numbers), strict=True))
