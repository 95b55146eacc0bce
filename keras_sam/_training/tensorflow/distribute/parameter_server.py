"""Training under `tf.distribute.ParameterServerStrategy`, which Keras 3 lacks.

Keras's own `fit` runs on the coordinator, with callbacks, history, validation.
A train step that it calls is scheduled: the next free worker does it, on the
next batch of its own copy of the data, with variables of the parameter servers.
`evaluate` and `predict` run on the coordinator alone and read the variables, so
that each example counts once. What that means:

- Training with several workers is asynchronous, and not reproducible. Training
  with one worker is sequential and equals a single device.
- A step reads each weight once, when it begins, and evaluates all points of its
  climb from these values. No perturbed weight ever leaves the worker: servers
  see the updates of the optimizer, of state and of metrics, and nothing else.
  Meanwhile others may change the weights. A gradient may be applied to newer
  weights than it was evaluated at, and it may be evaluated at some weights from
  before an update and others from after it.
- Each worker reads its own copy of the data again and again. The steps of an
  epoch are counted over all workers. A shuffle with a seed is the same on all.
  Each example counts once if `x` is a function that gives a worker its share:
  see `Workers.fitting`.
- The servers add to metrics and to the count of iterations, so no addition is
  lost. All other variables are assigned, as Keras does: if two workers assign a
  momentum, a batch statistic or a constrained weight at once, the last one
  counts.
- `fit` keeps few steps ahead of the workers and waits for all of them at the
  end of an epoch, before it reads metrics, validates, or calls callbacks. A
  callback sees in `on_train_batch_end` the logs of an earlier step, at first
  none. The weights may change while the callback runs.
- A worker that dies may come back; until then the others do its steps. Its copy
  of the data begins anew. The step in which it died is done again, although
  its updates may have arrived in part. A dead parameter server ends the
  training.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_sam import _keras_internals
from keras_sam._backend.tensorflow import tensorflow_internals
from keras_sam._training.tensorflow.distribute import step_queue


def workers(model: Any) -> "Workers | None":
    """Returns the `Workers` of a model, or None under any other strategy.

    Args:
        model: Wrapper under construction, in the scope of its strategy.

    Raises:
        ValueError: If the model cannot be trained by workers.
    """
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.ParameterServerStrategy):
        return None
    if model.sync_perturbations:
        raise ValueError(
            "`sync_perturbations` must be False under ParameterServerStrategy, "
            "whose workers never wait for each other. Received: True"
        )
    partitioner = tensorflow_internals.variable_partitioner(strategy)
    if partitioner is not None:
        raise ValueError(
            "ParameterServerStrategy must have no `variable_partitioner`: "
            f"Keras keeps each variable whole. Received: {partitioner!r}"
        )
    if strategy.num_replicas_in_sync > 1:
        raise ValueError(
            "Under ParameterServerStrategy a worker must have one GPU at most; "
            "start a worker for each, with CUDA_VISIBLE_DEVICES. Received: "
            f"{strategy.num_replicas_in_sync} GPUs a worker"
        )
    _check_servers_hold(model.model.variables)
    return Workers(strategy)


class Workers:
    """The workers that train a model.

    Args:
        strategy: The `ParameterServerStrategy` of the model.
    """

    def __init__(self, strategy: tf.distribute.ParameterServerStrategy) -> None:
        self._strategy = strategy
        self._function: Callable[[], tf.data.Dataset] | None = None
        self._schedule: step_queue.Schedule | None = None
        self._x: Any = None
        self._data: Any = None
        self._steps_per_epoch: int | None = None

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which variables are on the servers."""
        return self._strategy.scope()

    def strategy_of_coordinator(self) -> tf.distribute.Strategy:
        """Returns the strategy that Keras's loops run under: the default one.

        Raises:
            ValueError: Within the scope of another strategy.
        """
        if tf.distribute.has_strategy():
            raise ValueError(
                "`fit`, `evaluate` and `predict` must be called outside of "
                "the scope of ParameterServerStrategy"
            )
        return tf.distribute.get_strategy()

    @contextlib.contextmanager
    def fitting(self, model: keras.Model, x: Any) -> Iterator[Any]:
        """Surrounds Keras's `fit`; yields the data for it.

        Afterwards, also after an error, no step is under way.

        Args:
            model: Compiled `keras.Model`.
            x: As for `fit`, or a function from a `tf.distribute.InputContext`
                to a `tf.data.Dataset`. The context has the number of workers
                and the index of one. The function is traced here, and run on
                each worker.
        """
        self._x = x
        if callable(x):
            self._function = self._of_worker(x)
            # For Keras, which takes its shapes; nobody ever reads it.
            self._x = tf.data.Dataset.range(1).flat_map(
                lambda _: x(self._context(0))
            )
        try:
            yield self._x
        finally:
            ended, self._schedule = self._schedule, None
            self._function = self._x = self._data = None
            if ended is not None:
                ended.drain()

    def _of_worker(
        self, function: Callable[[Any], tf.data.Dataset]
    ) -> Callable[[], tf.data.Dataset]:
        index = tf.distribute.coordinator.experimental_get_current_worker_index
        return lambda: function(self._context(index())).repeat()

    def _context(self, index: Any) -> tf.distribute.InputContext:
        return tf.distribute.InputContext(
            tensorflow_internals.number_of_workers(self._strategy), index
        )

    def build(self, model: keras.Model, iterator: Any, batch: Any) -> None:
        """Creates all variables, on the servers, before a worker needs them.

        Args:
            model: Compiled `keras.Model`.
            iterator: Keras's iterator over an epoch, or None.
            batch: A batch, if there is no iterator.

        Raises:
            ValueError: If workers cannot train the model.
        """
        _check(model)
        self._data = None
        if iterator is not None:
            self._data = _keras_internals.data_of_epoch(iterator)
            self._steps_per_epoch = iterator.num_batches
            batch = self._data.element_spec
        with self._strategy.scope():
            model.build_once(batch)

    def train_function(
        self, model: keras.Model, last: step_queue.Schedule | None
    ) -> step_queue.Schedule:
        """Returns what `fit` calls for a step, or for several.

        Args:
            model: Compiled `keras.Model`, built.
            last: What the last call returned for the same model, or None.

        Raises:
            ValueError: If workers cannot train on the data.
        """
        if self._data is None:
            raise ValueError(
                "`train_on_batch` is not possible under "
                "ParameterServerStrategy: use `fit`"
            )
        if not isinstance(self._data, tf.data.Dataset) or _calls_python(
            self._data
        ):
            raise ValueError(
                "Under ParameterServerStrategy `x` must be arrays, a "
                "`tf.data.Dataset`, or a function that returns one, all "
                "without `from_generator` and `py_function`: workers cannot "
                f"call Python code. Received: {self._data!r}"
            )
        if self._steps_per_epoch is None:
            raise ValueError(
                "`steps_per_epoch` must be given where the length of `x` is "
                "not known. Received: None"
            )
        if self._function is not None and self._data is not self._x:
            raise ValueError(
                "`class_weight` must be None where `x` is a function under "
                "ParameterServerStrategy: let the function return sample "
                "weights"
            )
        # Endless, since the fastest worker sees the most batches.
        data = self._function or self._data.repeat()
        self._schedule = step_queue.Schedule(
            self._strategy,
            last.function if last else step_queue.steps(model, self._strategy),
            data,
            self._steps_per_epoch,
            model.steps_per_execution,
        )
        return self._schedule

    def finish(self, logs: Any) -> Any:
        """Waits for all steps; returns the logs of the last one.

        Args:
            logs: What to return if no step was under way.
        """
        return self._schedule.finish(logs) if self._schedule else logs


def _calls_python(dataset: tf.data.Dataset) -> bool:
    """Whether Python runs when a dataset is read.

    A worker would call the coordinator, which may be waiting for the worker.
    """
    graph = tf.compat.v1.GraphDef.FromString(
        tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(dataset)
        ).numpy()
    )
    nodes = [*graph.node]
    for function in graph.library.function:
        nodes += function.node_def
    return any("PyFunc" in node.op for node in nodes)


def _check(model: keras.Model) -> None:
    """Raises ValueError if workers cannot train a compiled model."""
    if model.run_eagerly:
        raise ValueError(
            "`run_eagerly` must be False under ParameterServerStrategy: "
            "workers run compiled steps only. Received: True"
        )
    if model.jit_compile:
        raise ValueError(
            "`jit_compile` must be False under ParameterServerStrategy: XLA "
            "cannot reach the variables of another process. Give the wrapper "
            "`xla=True`, which compiles the evaluations. Received: True"
        )
    optimizer = model.optimizer
    for owner in (optimizer, *getattr(optimizer, "optimizers", ())):
        if isinstance(owner, keras.optimizers.LossScaleOptimizer):
            raise ValueError(
                "Under ParameterServerStrategy losses cannot be scaled: one "
                "worker would change the scale while another uses it. Use "
                f"`mixed_bfloat16`. Received: {owner!r}"
            )
        for name in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
            if getattr(owner, name):
                raise ValueError(
                    f"`{name}` must be None under ParameterServerStrategy, "
                    "where steps of several workers overlap. "
                    f"Received: {getattr(owner, name)}"
                )
    _check_servers_hold([*model.variables, *optimizer.variables])


def _check_servers_hold(variables: Iterable[keras.Variable]) -> None:
    """Raises ValueError if a variable is not on a parameter server."""
    for variable in variables:
        if "/job:ps" not in variable.value.device:
            raise ValueError(
                "`model`, its metrics and its optimizer must be made, and the "
                "model wrapped and compiled, in the scope of one "
                "ParameterServerStrategy. Received a variable made elsewhere: "
                f"{variable.path}"
            )
