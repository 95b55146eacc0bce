"""Training under `tf.distribute.ParameterServerStrategy`, which Keras 3 lacks.

Keras's own `fit` runs on the coordinator, with callbacks, history, validation.
A train step that it calls is scheduled: the next free worker does it, on the
next batch of its own copy of the data, with variables of the parameter servers.
`evaluate` and `predict` run on the coordinator alone and read the variables, so
that each example counts once. What that means:

- Training is asynchronous, hence not reproducible with several workers; with
  one worker it is sequential and equals a single device.
- A step reads each weight once, when it begins, and evaluates all points of its
  climb from these values. No perturbed weight ever leaves the worker: servers
  see the updates of the optimizer, of state and of metrics, and nothing else.
  Meanwhile others may change the weights: a gradient may be of older ones than
  it is applied to, and of some weights before and of others after an update.
- Each worker reads its own copy of the data again and again, and an epoch is so
  many steps of all workers together. A shuffle with a seed is the same on all.
  For each example to count once, `x` is a function that gives a worker its
  share: see `Workers.fitting`.
- Metrics and the count of iterations are added to on the servers, so none is
  lost. All other variables are assigned, as Keras does: of two workers that
  assign a momentum, a batch statistic or a constrained weight at once, the last
  one counts.
- `fit` keeps few steps ahead of the workers and waits for all of them at the
  end of an epoch, before it reads metrics, validates, or calls callbacks. A
  callback sees in `on_train_batch_end` the logs of an earlier step, at first
  none, and must not expect the weights to stand still there.
- A worker that dies may come back; until then the others do its steps. Its copy
  of the data begins anew. The step that it died in is done again, though its
  updates may have arrived in part. A dead parameter server ends the training.
"""

import contextlib

import keras
import tensorflow as tf

from keras_sam._training.tensorflow.distribute import step_queue


def workers(model):
    """Returns the `Workers` of a model, None under any other strategy.

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
    if strategy.extended._variable_partitioner is not None:
        raise ValueError(
            "ParameterServerStrategy must have no `variable_partitioner`: "
            "Keras keeps each variable whole. Received: "
            f"{strategy.extended._variable_partitioner!r}"
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

    def __init__(self, strategy):
        self._strategy = strategy
        self._function = self._given = None
        self._data = self._steps_per_epoch = self._schedule = None

    def strategy_of_coordinator(self):
        """Returns the strategy that Keras's loops run under: the default one.

        Raises:
            ValueError: Within the scope of another one.
        """
        if tf.distribute.has_strategy():
            raise ValueError(
                "`fit`, `evaluate` and `predict` must be called outside of "
                "the scope of ParameterServerStrategy"
            )
        return tf.distribute.get_strategy()

    @contextlib.contextmanager
    def fitting(self, model, x):
        """Surrounds Keras's `fit`; gives the data for it.

        Afterwards, also after an error, no step is under way.

        Args:
            model: Compiled `keras.Model`.
            x: As for `fit`, or a function that returns a `tf.data.Dataset`
                given a `tf.distribute.InputContext`, which has the number of
                workers and the index of one. It is traced here, and run on
                each worker.
        """
        self._given = x
        if callable(x):
            self._function = self._of_worker(x)
            # For Keras, which takes its shapes; nobody ever reads it.
            self._given = tf.data.Dataset.range(1).flat_map(
                lambda _: x(self._context(0))
            )
        try:
            yield self._given
        finally:
            ended, self._schedule = self._schedule, None
            self._function = self._given = self._data = None
            if ended is not None:
                ended.drain()

    def _of_worker(self, function):
        index = tf.distribute.coordinator.experimental_get_current_worker_index
        return lambda: function(self._context(index())).repeat()

    def _context(self, index):
        return tf.distribute.InputContext(self._strategy._num_workers, index)

    def build(self, model, iterator, batch):
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
            self._data = iterator._get_iterator()
            self._steps_per_epoch = iterator.num_batches
            batch = self._data.element_spec
        with self._strategy.scope():
            model._symbolic_build(data_batch=batch)

    def train_function(self, model, last):
        """Returns what `fit` calls for a step, or for several.

        Args:
            model: Compiled `keras.Model`, built.
            last: What this has returned for the same model before, or None.

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
        if self._function is not None and self._data is not self._given:
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

    def finish(self, logs):
        """Waits for all steps; returns the logs of the last one.

        Args:
            logs: What to return if no step was under way.
        """
        return self._schedule.finish(logs) if self._schedule else logs


def _calls_python(dataset):
    """Whether Python runs when a dataset is read.

    A worker would call the coordinator back, which may be waiting for it.
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


def _check(model):
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


def _check_servers_hold(variables):
    for variable in variables:
        if "/job:ps" not in variable.value.device:
            raise ValueError(
                "`model`, its metrics and its optimizer must be made, and the "
                "model wrapped and compiled, in the scope of one "
                "ParameterServerStrategy. Received a variable made elsewhere: "
                f"{variable.path}"
            )
