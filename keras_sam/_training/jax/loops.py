"""The methods that Keras's loops call, on JAX."""

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._evaluation import building
from keras_sam._evaluation.jax.scope import Scope
from keras_sam._training import tensorboard
from keras_sam._training.jax import inner_steps
from keras_sam._training.jax.distribute import feeding


class Loops(_keras_internals.FitHooks):
    """Runs Keras's `fit`, `evaluate` and `predict` on JAX.

    On JAX a train step is a function from the values of all variables to their
    new values. Here a scope gives the values to the variables, and collects
    what is assigned.
    """

    # `tf.distribute` has it. On JAX `keras.distribution` holds for all models.
    distribute_strategy: Any = None
    train_function: Any
    test_function: Any
    predict_function: Any

    def fit(
        self, x: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does, on all devices."""
        given = inspect.signature(super().fit).bind(x, *args, **kwargs)
        feeding.check_fit(given.arguments)
        tensorboard.write_graph(self.model, given.arguments.get("callbacks"))
        return super().fit(x, *args, **kwargs)

    def step_on(self, data: Any) -> dict[str, Any]:
        """Trains on a batch; returns the logs. A subclass has it."""
        raise NotImplementedError

    def train_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """Trains on a batch; returns (logs, the new state).

        Args:
            state: Lists of the values of the trainable variables, the other
                variables, those of the optimizer, and those of the metrics.
            data: A batch as `fit` takes it.
        """
        trained, others, metrics = inner_steps.groups(self)
        groups = (trained, others, self.optimizer.variables, metrics)
        with Scope(inner_steps.pairs(groups, state)) as scope:
            logs = self.step_on(data)
        return logs, inner_steps.present(scope, groups)

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that `fit` calls."""
        known = self.train_function
        super().make_train_function(force)
        if self.train_function is not known:
            trained, others, metrics = inner_steps.groups(self)
            groups = (trained, others, self.optimizer.variables, metrics)
            self.train_function = _kept(self.train_function, groups)

    def make_test_function(self, force: bool = False) -> None:
        """Makes the function that `evaluate` calls."""
        known = self.test_function
        super().make_test_function(force)
        if self.test_function is not known:
            groups = inner_steps.groups(self)
            self.test_function = _kept(self.test_function, groups)

    def make_predict_function(self, force: bool = False) -> None:
        """Makes the function that `predict` calls."""
        known = self.predict_function
        super().make_predict_function(force)
        if self.predict_function is not known:
            groups = inner_steps.groups(self, metrics=False)
            self.predict_function = _kept(self.predict_function, groups)

    def variable_scope(self) -> contextlib.AbstractContextManager:
        """Returns a context for creating variables outside of a loop."""
        return contextlib.nullcontext()

    def build_before_loop(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Creates all variables; Keras calls this first in a loop.

        Keras alone would miss variables that are made in training mode only.
        """
        if not all(layer.built for layer in _keras_internals.layers(self)):
            if data_batch is None:
                _, _, batches = next(iter(iterator))
                data_batch = next(iter(batches))
            building.build(self, data_batch, optimizer=False)
        super().build_before_loop(iterator, data_batch)

    def build_once(self, data: Any) -> None:
        """Does nothing: a train step must not create variables on JAX."""

    def _join_workers(self) -> None:
        """Does nothing: JAX has no parameter servers."""


def _kept(function: Callable, groups: Sequence) -> Callable:
    """Returns a function of Keras's loops that loses no values in an error.

    Keras takes the values from the variables before the first step, and puts
    them back after the last one. An error in the first step would leave the
    variables empty.

    Args:
        function: Function of the state and an iterator over batches.
        groups: Lists of the variables whose values are the state.
    """

    def kept(state: Any, iterator: Any) -> Any:
        try:
            return function(state, iterator)
        except StopIteration:
            raise
        except BaseException:
            for variable, value in inner_steps.pairs(groups, state):
                if not value.is_deleted():
                    variable.assign(value)
            raise

    return kept
