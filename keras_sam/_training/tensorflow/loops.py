"""What Keras's loops call, and ours instead where Keras's own fails."""

import inspect

import keras
import tensorflow as tf
from keras import tree

from keras_sam._backend import building
from keras_sam._training.tensorflow.distribute import agreement
from keras_sam._training.tensorflow.distribute import feeding
from keras_sam._training.tensorflow.distribute import fingerprint


def _like(method):
    """Gives a method the signature of Keras's."""

    def decorate(own):
        own.__signature__ = inspect.signature(method)
        return own

    return decorate


class Loops(keras.Model):
    """Runs Keras's `fit`, `evaluate` and `predict` under any strategy.

    On one replica nothing is added to Keras. Before several workers run a loop
    they compare what they are about to do.
    """

    # Those of parameter servers; set once the model has its arguments.
    _workers = None

    @_like(keras.Model.fit)
    def fit(self, x=None, *args, **kwargs):
        """Trains, as `keras.Model.fit` does, under any strategy."""
        given = feeding.check_fit(self, (x, *args), kwargs)
        agreement.agree(self.distribute_strategy, {"fit": given})
        if self._workers is None:
            return super().fit(x, *args, **kwargs)
        with self._workers.fitting(self, x) as data:
            return super().fit(data, *args, **kwargs)

    @_like(keras.Model.predict)
    def predict(self, x, *args, **kwargs):
        """Returns outputs, as `keras.Model.predict` does."""
        feeding.check_predict(self, x)
        return super().predict(x, *args, **kwargs)

    @property
    def distribute_strategy(self):
        """The strategy that Keras's loops run under."""
        if self._workers is None:
            return super().distribute_strategy
        return self._workers.strategy_of_coordinator()

    def make_train_function(self, force=False):
        """Makes what `fit` calls: Keras's, unless that fails."""
        if self._workers is not None:
            self.train_function = self._workers.train_function(
                self, None if force else self.train_function
            )
        elif self.train_function is None or force:
            if _needs_function(self):
                self.train_function = function(self, self.train_step)
            else:
                super().make_train_function(force)
                self.train_function = _built_before(self, self.train_function)

    def make_test_function(self, force=False):
        """Makes what `evaluate` calls: Keras's, unless that fails."""
        if not _needs_function(self):
            super().make_test_function(force)
        elif self.test_function is None or force:
            self.test_function = function(self, self.test_step)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this first in `fit` and `evaluate`. Its own fails on the
        # batches of several workers, if they are not one tensor.
        strategy = self.distribute_strategy
        if self._workers is not None:
            self._workers.build(self, iterator, data_batch)
        elif strategy.num_replicas_in_sync == 1:
            super()._maybe_symbolic_build(iterator, data_batch)
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
                building.build(self, feeding.part(strategy, data_batch))

    def _get_metrics_result_or_logs(self, logs):
        # Keras calls this when the steps of an epoch are called.
        if self._workers is not None:
            logs = self._workers.finish(logs)
        return super()._get_metrics_result_or_logs(logs)


def _built_before(model, train):
    """Returns a train function that is called once all variables exist.

    TensorFlow traces twice what creates some.
    """
    # A train step of the user's may make something else of the data, and with
    # several replicas all is built before.
    waits = (
        not model.run_eagerly
        and type(model).train_step.__module__.startswith("keras_sam.")
        and model.distribute_strategy.num_replicas_in_sync == 1
    )

    def function(iterator):
        nonlocal waits
        if waits:
            waits = False
            _build(model, getattr(iterator, "element_spec", None))
        return train(iterator)

    return function


def _build(model, spec):
    """Creates all variables, if the specs of the data tell of its shapes."""
    if spec is not None and all(
        isinstance(s, tf.TensorSpec) and s.shape.rank is not None
        for s in tree.flatten(spec)
    ):
        with model.distribute_strategy.scope():
            model._symbolic_build(data_batch=spec)


def function(model, step):
    """Returns a function from an iterator of batches to logs.

    It calls as many steps as `steps_per_execution` says one by one.

    Args:
        model: `keras.Model` on several replicas.
        step: Its `train_step` or `test_step`.
    """
    strategy = model.distribute_strategy

    def one_step(data):
        logs = strategy.run(step, args=(data,))
        return tree.map_structure(
            lambda log: strategy.reduce("MEAN", log, axis=None), logs
        )

    if not model.run_eagerly:
        one_step = tf.function(one_step, reduce_retracing=True, autograph=False)

    def steps(iterator):
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


def _needs_function(model):
    """Whether the function that Keras makes of a step fails.

    On several replicas it does with `steps_per_execution`, which puts
    collectives in a loop of the graph, and with `jit_compile`, which compiles
    them; with several workers, where it averages scalars over an axis.
    """
    strategy = model.distribute_strategy
    return strategy.num_replicas_in_sync > 1 and (
        model.steps_per_execution > 1
        or model.jit_compile
        or isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    )
