"""Train steps on workers, one by one or several; see `parameter_server.py`."""

import collections
import contextlib
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_sam._backend import values
from keras_sam._backend.tensorflow import tensorflow_internals

# Executions scheduled for each worker: one that runs, one that waits.
_AHEAD = 2
_WARN_AFTER = 60  # Seconds without a finished execution until a warning.
_WARNINGS = 60  # Warnings until an error.


class Schedule:
    """Schedules train steps on workers, not too far ahead of them.

    Args:
        strategy: `ParameterServerStrategy`.
        function: See `steps`.
        data: Dataset without end, or a function that returns one.
        steps_per_epoch: Int.
        steps_per_execution: Int, how many steps a call does.
    """

    def __init__(
        self,
        strategy: tf.distribute.ParameterServerStrategy,
        function: Callable[[Any, int], Any],
        data: tf.data.Dataset | Callable[[], tf.data.Dataset],
        steps_per_epoch: int,
        steps_per_execution: int,
    ) -> None:
        self.function = function
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(
            strategy
        )
        self._batches = iter(self._coordinator.create_per_worker_dataset(data))
        self._steps_per_epoch = steps_per_epoch
        self._steps_per_execution = steps_per_execution
        self._limit = _AHEAD * tensorflow_internals.number_of_workers(strategy)
        self._scheduled = 0
        self._pending = collections.deque()
        self._lost = False  # Whether no step is expected to finish any more.
        self._logs = {}

    def __call__(self, iterator: Any) -> Mapping[str, Any]:
        """Schedules an execution; returns the logs of an earlier one."""
        del iterator  # Keras's iterator here. Each worker has one of its own.
        rest = self._steps_per_epoch - self._scheduled % self._steps_per_epoch
        steps = min(self._steps_per_execution, rest)
        self._scheduled += steps
        self._pending.append(
            self._coordinator.schedule(
                self.function, args=(self._batches, steps)
            )
        )
        if len(self._pending) > self._limit:
            self._wait()
        return self._logs

    def finish(self, logs: Any) -> Any:
        """Waits for all steps; returns the last logs, or else `logs`."""
        while self._pending:
            self._wait()
        # Raises the error of a step that failed, if any did.
        self._coordinator.join()
        logs, self._logs = self._logs or logs, {}
        return logs

    def drain(self) -> None:
        """Waits for what is under way after an error; lets go of the data."""
        while self._pending:
            with contextlib.suppress(tf.errors.OpError):
                self._wait()
        if not self._lost:
            # Otherwise the coordinator would raise the error once more.
            with contextlib.suppress(tf.errors.OpError):
                self._coordinator.join()
        self._batches = None

    def _wait(self) -> None:
        """Waits for the oldest execution, for its logs."""
        remote = self._pending.popleft()
        for passed in range(1, _WARNINGS + 1):
            if tensorflow_internals.wait(remote, _WARN_AFTER):
                self._fetch(remote)
                return
            message = (
                f"No worker has finished a step for {passed * _WARN_AFTER} "
                "seconds. Are the workers running?"
            )
            warnings.warn(message, stacklevel=2)
        self._pending.clear()
        self._lost = True
        raise TimeoutError(message)

    def _fetch(self, remote: tf.distribute.coordinator.RemoteValue) -> None:
        try:
            self._logs = remote.fetch()
        except tf.errors.CancelledError:
            # Raises the error with which another step failed.
            self._coordinator.join()
            raise
        except tf.errors.OpError as error:
            # The step is done, but its logs are on a worker that has died
            # since. Earlier logs do as well: all are running means.
            if not tensorflow_internals.is_worker_failure(error):
                raise


class _Additions(keras.StatelessScope):
    """Adds to some variables what Keras would assign to them.

    Keras reads, adds and assigns. If two workers did so at once, the first
    addition would be lost. All other variables are assigned as usual.

    Args:
        variables: List of Keras variables that change by additions alone.
    """

    def __init__(self, variables: Sequence[keras.Variable]) -> None:
        self._before = {
            id(variable): (variable, value)
            for variable, value in zip(
                variables, values.read(variables), strict=True
            )
        }
        super().__init__(self._before.values(), initialize_variables=False)

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        variable, value = update
        if id(variable) in self._before:
            super().add_update(update)
        else:
            variable.value.assign(value)

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for key, (variable, before) in self._before.items():
            after = self.state_mapping[key]
            if after is not before:
                variable.value.assign_add(after - before)


def steps(
    model: keras.Model, strategy: tf.distribute.ParameterServerStrategy
) -> Callable[[Any, int], Any]:
    """Returns a `tf.function` from an iterator and a number of steps to logs.

    Args:
        model: `keras.Model`, built and compiled.
        strategy: Its `ParameterServerStrategy`.
    """
    # Metrics, and the counts of the optimizer.
    counters = model.metrics_variables + [
        v for v in model.optimizer.variables if v.dtype.startswith("int")
    ]

    def train(data: Any) -> Any:
        with _Additions(counters):
            return model.train_step(data)

    @tf.function(autograph=False)
    def step(data: Any) -> Any:
        return strategy.run(train, args=(data,))

    def several(iterator: Any, number: int) -> Any:
        def again(i: Any) -> Any:
            step(iterator.get_next())
            return i + 1

        if number > 1:
            tf.while_loop(lambda i: i < number - 1, again, [0])
        return step(iterator.get_next())

    return tf.function(several, autograph=False)
