"""What a climb met, as metrics of the train step."""

import keras
from keras import ops

from keras_sam import _keras_internals
from keras_sam import _registration
from keras_sam._algorithm import measures


@_registration.exported
class Tracker(keras.metrics.Metric):
    """Means over the examples of the steps that climbed.

    Its one variable is cheaper to update than a `keras.metrics.Mean` for each
    name.
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
        """Returns {name: scalar tensor}, NaN if no step has climbed."""
        total = ops.convert_to_tensor(self.total)
        means = ops.unstack(total[1:] / total[0])  # Zero over zero is NaN.
        return dict(zip(measures.NAMES, means, strict=True))


class Tracking(_keras_internals.FitHooks):
    """A model whose train step shows the means of a tracker, if it has one."""

    _climb_metric = None

    def _track(self, every):
        """Measures climbs in every so many steps, 0 for never."""
        if every:
            self._climb_metric = Tracker()

    def _with_measured(self, measured, size, logs):
        """Adds what was measured to the logs of a train step.

        Args:
            measured: List of what the function `measured` returns, or empty.
            size: Number of examples.
            logs: Dict.

        Raises:
            ValueError: If the user's metrics have the same names.
        """
        if self._climb_metric is None:
            return logs
        taken = sorted(set(measures.NAMES) & set(logs))
        if taken:
            raise ValueError(
                "With `track` metrics must not be called "
                f"{taken}: the wrapper's own are. Received: {sorted(logs)}"
            )
        self._climb_metric.update_state(*measured, sample_weight=size)
        return {**logs, **self._climb_metric.means()}

    def epoch_logs(self, logs):
        # The logs of the last step are, on several replicas, means of means;
        # Keras computes them anew if they have the names of its metrics.
        if (
            not set(measures.NAMES) <= set(logs or ())
            or self._climb_metric is None
        ):
            return super().epoch_logs(logs)
        others = {k: v for k, v in logs.items() if k not in measures.NAMES}
        others = super().epoch_logs(others)
        return {**others, **self._climb_metric.means()}
