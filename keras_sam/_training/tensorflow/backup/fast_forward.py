"""Steps of `fit` that pass over batches instead of training on them."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from keras_sam._evaluation import building


class Skip:
    """Stands in for a model's train function for one call after `install`.

    `fit` looks the train function up at each call and counts the steps as
    usual. `Skip` only advances the iterator of `fit`.

    Args:
        model: `keras.Model` in `fit`.
        steps: Int, how many train steps to pass over.
        logs: Dict, what `fit` gets as the logs of these steps.
        restore: Function without arguments that restores the metrics. It is
            called once they are built.

    Attributes:
        left: Int, the steps still to pass over.

    Raises:
        ValueError: If `steps` is no multiple of `steps_per_execution`.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: int,
        logs: Mapping[str, Any],
        restore: Callable[[], None],
    ) -> None:
        if steps % model.steps_per_execution:
            raise ValueError(
                f"The backup is of step {steps} of an epoch, which must be a "
                "multiple of `steps_per_execution`. Received: "
                f"{model.steps_per_execution}"
            )
        self.left = steps
        self._model = model
        self._steps = steps
        self._logs = logs
        self._restore = restore

    def install(self) -> None:
        """Makes this the train function, for one call."""
        self._train = self._model.train_function
        self._model.train_function = self

    def __call__(self, iterator: Any) -> Mapping[str, Any]:
        """Advances an iterator by the batches of one execution."""
        # This comes first: an error below must not leave the skip installed.
        self._model.train_function = self._train
        for number in range(self._model.steps_per_execution):
            batch = next(iterator, None)
            if batch is None and number == 0:
                self.check_end()
            if batch is None:
                break  # The last execution of an epoch may be a part of one.
            if number == 0 and self.left == self._steps:
                _build(self._model, batch)
                self._restore()
        self.left -= self._model.steps_per_execution
        return self._logs

    def check_end(self) -> None:
        """Raises ValueError if the data ended before all was passed over."""
        if self.left:
            raise ValueError(
                f"The backup is of step {self._steps} of an epoch, but the "
                f"data end {self.left} steps before. Give `fit` the data of "
                "the training that was interrupted"
            )


def _build(model: keras.Model, batch: Any) -> None:
    """Creates the variables of metrics that come with the first step."""
    strategy = model.distribute_strategy

    def part(value: Any) -> Any:
        missing = isinstance(value, tf.experimental.Optional)
        return strategy.experimental_local_results(None if missing else value)

    with strategy.scope():
        building.build(
            model, tree.map_structure(lambda v: part(v)[0], batch), metrics=True
        )
