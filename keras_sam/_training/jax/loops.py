"""The methods that Keras's loops call, on JAX."""

import contextlib
import inspect
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
