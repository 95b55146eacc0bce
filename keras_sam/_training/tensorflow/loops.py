"""The methods that Keras's loops call, replaced where Keras's own fail."""

import contextlib
import inspect
import weakref
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import replicas
from keras_sam._evaluation import building
from keras_sam._training import agreement
from keras_sam._training import fingerprint
from keras_sam._training import tensorboard
from keras_sam._training.tensorflow.distribute import feeding
from keras_sam._training.tensorflow.distribute import parameter_server


class Loops(_keras_internals.FitHooks):
    """Runs Keras's `fit`, `evaluate` and `predict` under any strategy.

    On one replica Keras's loops run as they are. Several workers compare what
    they are about to do before they run a loop.
    """

    # The `parameter_server.Workers`, or None. Keras sets the functions.
    _workers: Any = None
    # A weak reference to what `build_once` was called for, or None.
    _built_for: Any = None
    train_function: Any
    test_function: Any

    def fit(
        self, x: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does, under any strategy."""
        numbers = feeding.check_fit(self, (x, *args), kwargs)
        given = inspect.signature(super().fit).bind(x, *args, **kwargs)
        tensorboard.write_graph(self.model, given.arguments.get("callbacks"))
        agreement.agree(self.distribute_strategy, {"fit": numbers})
        if self._workers is None:
            return super().fit(x, *args, **kwargs)
        with self._workers.fitting(self, x) as data:
            return super().fit(data, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns outputs, as `keras.Model.predict` does."""
        feeding.check_predict(self, x)
        return super().predict(x, *args, **kwargs)

    @property
    def distribute_strategy(self) -> tf.distribute.Strategy:
        """The strategy that Keras's loops run under."""
        if self._workers is None:
            return super().distribute_strategy
        return self._workers.strategy_of_coordinator()

    def variable_scope(self) -> contextlib.AbstractContextManager:
        """Returns a context for creating variables outside of a loop."""
        if self._workers is None:
            return self.distribute_strategy.scope()
        return self._workers.scope()

    def step_on(self, data: Any) -> dict[str, Any]:
        """Trains on a batch; returns the logs. A subclass has it."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, Any]:
        """Trains on a batch; returns the logs."""
        return self.step_on(data)

    def auto_jit_compile(self) -> bool | None:
        """Returns None under a strategy, else what Keras decides.

        Under a strategy Keras compiles nothing. Here XLA may compile the
        evaluations, unless the user gives `jit_compile=False`.
        """
        if replicas.strategic() or replicas.has_own(self.distribute_strategy):
            return None
        return super().auto_jit_compile()

    def _join_workers(self) -> None:
        """Sets the `Workers` of a `ParameterServerStrategy`, or else None."""
        self._workers = parameter_server.workers(self)

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that `fit` calls: Keras's unless it fails."""
        if self._workers is not None:
            self.train_function = self._workers.train_function(
                self, None if force else self.train_function
            )
        elif self.train_function is None or force:
            if _needs_function(self):
                self.train_function = function(self, self.train_step)
            else:
                super().make_train_function(force)
                if _can_build_first(self):
                    self.train_function = _BuildFirst(self, self.train_function)

    def make_test_function(self, force: bool = False) -> None:
        """Makes the function that `evaluate` calls: Keras's unless it fails."""
        if not _needs_function(self):
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = function(self, self.test_step)

    def build_before_loop(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Creates all variables; Keras calls this first in a loop.

        Keras's own method fails on the batches of several workers, unless a
        batch is one tensor.
        """
        strategy = self.distribute_strategy
        if self._workers is not None:
            self._workers.build(self, iterator, data_batch)
        elif strategy.num_replicas_in_sync == 1:
            super().build_before_loop(iterator, data_batch)
        else:
            if iterator is not None:
                agreement.agree(
                    strategy,
                    lambda: fingerprint.of_training(
                        self, iterator.steps_per_epoch
                    ),
                )
                feeding.even_steps(strategy, iterator)
                data_batch = feeding.first(iterator)
            with strategy.scope():
                self.build_once(feeding.part(strategy, data_batch))

    def build_once(self, data: Any) -> None:
        """Creates all variables, the first time after `compile`.

        Args:
            data: A batch as `fit` takes it, or its `tf.TypeSpec`s.
        """
        tracker = _keras_internals.loss_tracker(self)  # New in each `compile`.
        if self._built_for is None or self._built_for() is not tracker:
            building.build(self, data)
            self._built_for = weakref.ref(tracker)

    def epoch_logs(self, logs: Any) -> Any:
        """Waits for all steps of an epoch; returns its logs."""
        if self._workers is not None:
            logs = self._workers.finish(logs)
        return super().epoch_logs(logs)


def _can_build_first(model: Loops) -> bool:
    """Whether `_BuildFirst` can build the model from the specs of batches.

    It cannot if the user overrides `train_step`: the model may get data of
    another structure. On several replicas it need not: all variables exist
    before the train function is made.
    """
    return (
        not model.run_eagerly
        and type(model).train_step.__module__.startswith("keras_sam.")
        and model.distribute_strategy.num_replicas_in_sync == 1
    )


class _BuildFirst:
    """A train function that creates all variables before its first call.

    TensorFlow traces a function twice if it creates variables.
    """

    def __init__(self, model: Loops, train: Callable[[Any], Any]) -> None:
        self._model = model
        self._train = train

    def __call__(self, iterator: Any) -> Any:
        specs = getattr(iterator, "element_spec", None)
        if specs is not None and building.has_shapes(specs):
            with self._model.distribute_strategy.scope():
                self._model.build_once(specs)
        return self._train(iterator)


def function(
    model: keras.Model, step: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """Returns a function from an iterator of batches to logs.

    It calls `steps_per_execution` steps, one by one.

    Args:
        model: `keras.Model` on several replicas.
        step: The `train_step` or `test_step` of the model.
    """
    strategy = model.distribute_strategy

    def one_step(data: Any) -> Any:
        logs = strategy.run(step, args=(data,))
        return tree.map_structure(
            lambda log: strategy.reduce("MEAN", log, axis=None), logs
        )

    if not model.run_eagerly:
        one_step = tf.function(one_step, reduce_retracing=True, autograph=False)

    def steps(iterator: Any) -> Any:
        logs = None
        for _ in range(model.steps_per_execution):
            try:
                data = next(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                if logs is None:
                    raise
                break
            logs = one_step(data)
        return logs

    return steps


def _needs_function(model: keras.Model) -> bool:
    """Whether the function that Keras makes of a step fails.

    On several replicas it fails with `steps_per_execution`, which puts
    collectives into a loop of the graph, and with `jit_compile`, which
    compiles collectives. With several workers it fails where it averages
    scalars over an axis.
    """
    strategy = model.distribute_strategy
    return strategy.num_replicas_in_sync > 1 and (
        model.steps_per_execution > 1
        or model.jit_compile
        or isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    )
