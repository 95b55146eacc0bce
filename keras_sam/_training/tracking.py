"""The measurements of climbs, as metrics of the train step."""

import keras
from keras import ops

from keras_sam import _keras_internals
from keras_sam import _registration
from keras_sam._algorithm import measures


@_registration.exported
class Tracker(keras.metrics.Metric):
    """Averages measurements over the examples of the steps that climbed.

    The tracker has one variable, which is cheaper to update than a
    `keras.metrics.Mean` for each measurement.
    """

    def __init__(self, name="track", **settings):
        super().__init__(name=name, **settings)
        self.total = self.add_variable(
            (1 + len(measures.NAMES),), keras.initializers.Zeros(), name="total"
        )

    def update_state(self, measured, sample_weight):
        weight = ops.cast(sample_weight, self.dtype)
        self.total.assign_add(weight * ops.cast(measured, self.dtype))

    def result(self):
        """Returns nothing: Keras would show it in `evaluate`, too."""
        return {}

    def means(self):
        """Returns {name: scalar tensor}, NaN if nothing has been measured."""
        total = ops.convert_to_tensor(self.total)
        means = ops.unstack(total[1:] / total[0])  # Zero over zero is NaN.
        return dict(zip(measures.NAMES, means, strict=True))


class Tracking(_keras_internals.FitHooks):
    """A model whose train step shows the means of a tracker, if it has one."""

    _climb_metric = None

    def _track(self, every):
        """Makes the tracker, unless `every` is False or 0.

        Args:
            every: Bool or int, `track` of the wrapper.
        """
        if every:
            self._climb_metric = Tracker()

    def _with_measured(self, measured, size, logs):
        """Adds what was measured to the logs of a train step.

        Args:
            measured: List that `measures.measured` returns.
            size: Int or scalar int tensor, the number of examples.
            logs: Dict of the logs of Keras.

        Raises:
            ValueError: If the user's metrics have the same names.
        """
        if self._climb_metric is None:
            return logs
        common = sorted(set(measures.NAMES) & set(logs))
        if common:
            raise ValueError(
                "With `track`, the metrics in `compile` must not be called "
                f"{common}: the wrapper logs measurements under these names. "
                f"Received: {sorted(logs)}"
            )
        self._climb_metric.update_state(*measured, sample_weight=size)
        return {**logs, **self._climb_metric.means()}

    def epoch_logs(self, logs):
        # On several replicas the logs of the last step are means of means.
        # Keras computes a log anew only if it has the name of a metric.
        if (
            not set(measures.NAMES) <= set(logs or ())
            or self._climb_metric is None
        ):
            return super().epoch_logs(logs)
        others = {k: v for k, v in logs.items() if k not in measures.NAMES}
        others = super().epoch_logs(others)
        return {**others, **self._climb_metric.means()}
