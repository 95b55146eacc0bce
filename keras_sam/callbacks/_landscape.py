"""Callbacks that measure while `fit` trains."""

import math
import warnings

import keras
from keras import ops

from keras_sam import _validation
from keras_sam import landscape
from keras_sam._backend import values
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _sharpness

NAMES = (
    "landscape_loss",
    "landscape_one_step_sharpness",
    "landscape_sharpness",
    "landscape_sharpness_gap",
    "landscape_gradient_norm",
    "landscape_gradient_cosine",
    "landscape_straightness",
)


class Landscape(keras.callbacks.Callback):
    """Logs the sharpness of the loss, and what a climb meets, now and then.

    On fixed data, in evaluation mode: `landscape_loss`, that at the weights;
    `landscape_one_step_sharpness`, `landscape_sharpness` and
    `landscape_sharpness_gap` of `keras_sam.landscape.sharpness`;
    `landscape_gradient_norm` at the weights, `landscape_gradient_cosine` of the
    gradients at both ends of the climb, and `landscape_straightness` of
    `keras_sam.landscape.path`. All are means over the batches.

    Put it first among the callbacks: those after it, and the history, find the
    numbers in the logs of the epoch. Where nothing was measured they are NaN,
    since Keras's CSVLogger needs the same names in each epoch; also, with a
    warning, where the loss is not finite or all gradients are zero.

    A measurement costs 2 n + 1 gradients and up to two forward passes for each
    batch of the data, n being `ascent_steps`. Training is as without it, to the
    bit.

    Args:
        x, y, sample_weight, batch_size: The data, as those of
            `keras_sam.landscape.Landscape`; a few batches will do.
        every: Int, at least 1.
        unit: "epoch": at the end of each `every`-th epoch; "step": after each
            `every`-th of the optimizer's iterations (or the execution that it
            is in); the logs of the epoch get the last measurement.
        rho: Float, above 0.
        ascent_steps: Int, at least 1.
        radius: As that of `SharpnessAwareMinimization`.
        direction: Likewise.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, or, as measurements begin,
            the data do not fit the model.
        FloatingPointError: If the loss is not finite as training begins.
    """

    def __init__(
        self,
        x,
        y=None,
        sample_weight=None,
        *,
        batch_size=128,
        every=1,
        unit="epoch",
        rho=0.05,
        ascent_steps=3,
        radius="split",
        direction=Normalized(),
    ):
        super().__init__()
        self._data = (x, y, sample_weight, batch_size)
        self._every = _validation.integer("every", every, 1)
        self._unit = _validation.choice("unit", unit, ("epoch", "step"))
        _climbing.method(rho, ascent_steps, radius, direction)  # Checks them.
        self._climb = {
            "rho": rho,
            "ascent_steps": ascent_steps,
            "radius": radius,
            "direction": direction,
        }
        self._landscape = None
        if self._unit == "step":
            # Where this is overridden, Keras fetches the logs of each step.
            self.on_train_batch_end = self._after_step

    def on_train_begin(self, logs=None):
        # Anew each time: loss and trained variables may be others.
        *data, batch_size = self._data
        self._landscape = landscape.Landscape(
            self.model, *data, batch_size=batch_size
        )

    def on_epoch_begin(self, epoch, logs=None):
        self._last = dict.fromkeys(NAMES, math.nan)
        self._steps = self._iterations()

    def _after_step(self, batch, logs=None):
        before, self._steps = self._steps, self._iterations()
        if self._steps // self._every > before // self._every:
            self._last = self._measured()
            logs.update(self._last)

    def on_epoch_end(self, epoch, logs=None):
        if self._unit == "epoch" and (epoch + 1) % self._every == 0:
            self._last = self._measured()
        logs.update(self._last)

    def _iterations(self):
        return int(ops.convert_to_numpy(self.model.optimizer.iterations))

    def _measured(self):
        try:
            return self._found()
        except (FloatingPointError, _sharpness.Stuck) as error:
            warnings.warn(f"No landscape to log: {error}", stacklevel=2)
            return dict.fromkeys(NAMES, math.nan)

    def _found(self):
        at = self._landscape
        params = values.read(at.variables)
        found = landscape.sharpness(at, params=params, **self._climb)
        path = landscape.path(at, params=params, **self._climb)
        if not found.complete or not path.complete:
            raise KeyboardInterrupt
        path = path.mean()
        means = (
            found.loss,
            found.one_step,
            found.value,
            found.gap,
            path["gradient_norms"][0],
            path["cosines_to_first"][-1],
            path["straightness"],
        )
        return dict(zip(NAMES, map(float, means), strict=True))
