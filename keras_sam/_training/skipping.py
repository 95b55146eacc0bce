"""What steps that pass over batches do alike on all backends."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras


class Skip:
    """Stands in for a model's train function for one call after `install`.

    `fit` looks the train function up at each call and counts the steps as
    usual. `Skip` only advances the iterator of `fit`. A backend has a subclass
    that can be called as its train functions.

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

    def check_end(self) -> None:
        """Raises ValueError if the data ended before all was passed over."""
        if self.left:
            raise ValueError(
                f"The backup is of step {self._steps} of an epoch, but the "
                f"data end {self.left} steps before. Give `fit` the data of "
                "the training that was interrupted"
            )

    def _is_first(self) -> bool:
        """Whether nothing was passed over yet."""
        return self.left == self._steps

    def _pass_over(self, iterator: Iterator) -> Any:
        """Advances by the batches of one execution; returns the first one."""
        # This comes first: an error below must not leave the skip installed.
        self._model.train_function = self._train
        first = next(iterator, None)
        if first is None:
            self.check_end()
        for _ in range(self._model.steps_per_execution - 1):
            if next(iterator, None) is None:
                break  # The last execution of an epoch may be a part of one.
        self.left -= self._model.steps_per_execution
        return first
