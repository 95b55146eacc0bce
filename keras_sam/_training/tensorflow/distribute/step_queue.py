"""Train steps on workers, one by one or several; see `parameter_server.py`."""

import collections
import contextlib
import warnings

import keras
import tensorflow as tf
from tensorflow.python.distribute.coordinator import cluster_coordinator

from keras_sam._backend import values

# Executions scheduled for each worker: one that runs, one that waits.
_AHEAD = 2
# Seconds without a finished execution until a warning; so many warnings until
# an error.
_WARN_AFTER = 60
_WARNINGS = 60


class Schedule:
    """Schedules train steps on workers, not too far ahead of them.

    Args:
        strategy: `ParameterServerStrategy`.
        function: See `steps`.
        data: Dataset, or function that returns one, without end.
        steps_per_epoch: Int.
        steps_per_execution: Int, how many of them a call does.
    """

    def __init__(
        self, strategy, function, data, steps_per_epoch, steps_per_execution
    ):
        self.function = function
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(
            strategy
        )
        self._batches = iter(self._coordinator.create_per_worker_dataset(data))
        self._steps_per_epoch = steps_per_epoch
        self._steps_per_execution = steps_per_execution
        self._limit = _AHEAD * strategy._num_workers
        self._scheduled = 0
        self._pending = collections.deque()
        self._lost = False  # Whether there is no hope to see a step finish.
        self._logs = {}

    def __call__(self, iterator):
        """Schedules an execution; returns the logs of an earlier one."""
        del iterator  # Keras's, on the coordinator. Workers have their own.
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

    def finish(self, logs):
        """Waits for all steps; returns the last logs, or those it is given."""
        while self._pending:
            self._wait()
        # Raises the error of a step that failed, if any did.
        self._coordinator.join()
        logs, self._logs = self._logs or logs, {}
        return logs

    def drain(self):
        """Waits for what is under way after an error; lets go of the data."""
        while self._pending:
            with contextlib.suppress(tf.errors.OpError):
                self._wait()
        if not self._lost:
            # Otherwise the coordinator would raise the error once more.
            with contextlib.suppress(tf.errors.OpError):
                self._coordinator.join()
        self._batches = None

    def _wait(self):
        """Waits for the oldest execution, for its logs."""
        remote = self._pending.popleft()
        for passed in range(1, _WARNINGS + 1):
            if remote._status_available_event.wait(_WARN_AFTER):
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

    def _fetch(self, remote):
        try:
            self._logs = remote.fetch()
        except tf.errors.CancelledError:
            # Raises what another step failed with.
            self._coordinator.join()
            raise
        except tf.errors.OpError as error:
            # The step is done, but its logs are on a worker that has died
            # since. Those before do: all of them are running means.
            if not cluster_coordinator._is_worker_failure(error):
                raise


class _Additions(keras.StatelessScope):
    """Adds to some variables what Keras would assign to them.

    Keras reads, adds and assigns. Where two workers did so at once, the first
    addition would be lost. All other variables are assigned as ever.

    Args:
        variables: List of Keras variables that only ever grow by additions.
    """

    def __init__(self, variables):
        self._before = {
            id(variable): (variable, value)
            for variable, value in zip(
                variables, values.read(variables), strict=True
            )
        }
        super().__init__(self._before.values(), initialize_variables=False)

    def add_update(self, update):
        variable, value = update
        if id(variable) in self._before:
            super().add_update(update)
        else:
            variable.value.assign(value)

    def __exit__(self, *error):
        super().__exit__(*error)
        for key, (variable, before) in self._before.items():
            after = self.state_mapping[key]
            if after is not before:
                variable.value.assign_add(after - before)


def steps(model, strategy):
    """Returns a `tf.function` from an iterator and a number of steps to logs.

    Args:
        model: `keras.Model`, built and compiled.
        strategy: Its `ParameterServerStrategy`.
    """
    # Metrics, and what the optimizer counts.
    counters = model.metrics_variables + [
        v for v in model.optimizer.variables if v.dtype.startswith("int")
    ]

    def train(data):
        with _Additions(counters):
            return model.train_step(data)

    @tf.function(autograph=False)
    def step(data):
        return strategy.run(train, args=(data,))

    def several(iterator, number):
        def again(i):
            step(iterator.get_next())
            return i + 1

        if number > 1:
            tf.while_loop(lambda i: i < number - 1, again, [0])
        return step(iterator.get_next())

    return tf.function(several, autograph=False)
