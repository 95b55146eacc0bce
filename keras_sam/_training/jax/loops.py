"""The methods that Keras's loops call, on JAX."""

import contextlib
import inspect
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._backend.jax import batches
from keras_sam._evaluation import compiled_losses
from keras_sam._evaluation.jax import building
from keras_sam._evaluation.jax.scope import Scope
from keras_sam._training import agreement
from keras_sam._training import fingerprint
from keras_sam._training import tensorboard
from keras_sam._training.jax import holding
from keras_sam._training.jax import inner_steps
from keras_sam._training.jax.distribute import feeding
from keras_sam._training.jax.distribute import padded
from keras_sam._training.jax.distribute import strategies
from keras_sam._types import Batch


class Loops(holding.Holding):
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
    _evaluates = False

    def fit(
        self, x: Any = None, *args: Any, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does, on all devices."""
        given = inspect.signature(super().fit).bind(x, *args, **kwargs)
        with self.holding():
            strategies.check(self)
            feeding.check_fit(given.arguments)
            tensorboard.write_graph(
                self.model, given.arguments.get("callbacks")
            )
            agreement.agree(
                self.distribute_strategy,
                {"fit": fingerprint.of_fit(given.arguments)},
            )
            return super().fit(x, *args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Returns loss and metrics, as `keras.Model.evaluate` does."""
        with self.holding():
            # `fit` has checked the data that it validates on.
            if not _keras_internals.validates(kwargs):
                given = inspect.signature(super().evaluate).bind(
                    *args, **kwargs
                )
                strategies.check(self)
                feeding.check_data(given.arguments)
            self._evaluates = True
            try:
                return super().evaluate(*args, **kwargs)
            finally:
                self._evaluates = False

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Returns outputs, as `keras.Model.predict` does.

        Each of several processes gets the outputs of its own inputs.
        """
        given = inspect.signature(super().predict).bind(*args, **kwargs)
        with self.holding():
            strategies.check(self)
            if keras.distribution.distribution() is None:
                return super().predict(*args, **kwargs)
            padding = padded.Padding(given.arguments)
            found = super().predict(*given.args, **given.kwargs)
            return padding.without(found)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains on one batch, as `keras.Model.train_on_batch` does."""
        with self.holding():
            strategies.check(self)
            feeding.check_batch(x)
            return super().train_on_batch(x, *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Evaluates on one batch, as `keras.Model.test_on_batch` does."""
        with self.holding():
            strategies.check(self)
            feeding.check_batch(x)
            return super().test_on_batch(x, *args, **kwargs)

    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Returns outputs, as `keras.Model.predict_on_batch` does."""
        with self.holding():
            return super().predict_on_batch(*args, **kwargs)

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
        groups = self._groups()
        _check_trained(self.optimizer, groups[0])
        with Scope(inner_steps.pairs(groups, state)) as scope:
            logs = inner_steps.tensors(self.step_on(data))
        _check_none_made(groups, self._groups())
        return logs, inner_steps.present(scope, groups)

    def test_step(self, state: Any, data: Any) -> tuple[dict[str, Any], Any]:
        """Evaluates a batch; returns (logs, the new state).

        Keras forgets what a call does beside its outputs: the losses that an
        inner model adds up itself, and updates of metrics.

        Args:
            state: Lists of the values of the trainable variables, the other
                variables, and those of the metrics.
            data: A batch as `evaluate` takes it.
        """
        batch = Batch(*keras.utils.unpack_x_y_sample_weight(data))
        groups = inner_steps.groups(self)
        with Scope(inner_steps.pairs(groups, state)) as scope:
            y_pred = self(batch.x, training=False)
            loss = compiled_losses.compute(self, batch, y_pred, training=False)
            _keras_internals.loss_tracker(self).update_state(
                loss, sample_weight=batches.size(batch)
            )
            logs = self.compute_metrics(
                batch.x, batch.y, y_pred, batch.sample_weight
            )
            logs = inner_steps.tensors(logs)
        return logs, inner_steps.present(scope, groups)

    def _groups(self) -> tuple:
        """Returns the lists of variables whose values a train step takes."""
        trained, others, metrics = inner_steps.groups(self)
        return trained, others, self.optimizer.variables, metrics

    def make_train_function(self, force: bool = False) -> None:
        """Makes the function that `fit` calls."""
        known = self.train_function
        super().make_train_function(force)
        if self.train_function is not known:
            self.train_function = holding.kept(
                self, self.train_function, self._groups
            )

    def make_test_function(self, force: bool = False) -> None:
        """Makes the function that `evaluate` calls."""
        known = self.test_function
        super().make_test_function(force)
        if self.test_function is not known:
            self.test_function = holding.kept(
                self, self.test_function, lambda: inner_steps.groups(self)
            )

    def make_predict_function(self, force: bool = False) -> None:
        """Makes the function that `predict` calls."""
        known = self.predict_function
        super().make_predict_function(force)
        if self.predict_function is not known:
            self.predict_function = holding.kept(
                self,
                padded.own(self.predict_function),
                lambda: inner_steps.groups(self, metrics=False),
            )

    def variable_scope(self) -> contextlib.AbstractContextManager:
        """Returns a context for creating variables outside of a loop."""
        return contextlib.nullcontext()

    def build_before_loop(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Creates all variables; Keras calls this first in a loop.

        Keras alone would miss variables that are made in training mode only.
        """
        if iterator is not None:
            feeding.watch(iterator, training=not self._evaluates)
            feeding.agree(self, iterator)
        if not building.is_built(self):
            if data_batch is None:
                _, _, batches = next(iter(iterator))
                data_batch = next(iter(batches))
            building.build(self, data_batch, optimizer=False)
        super().build_before_loop(iterator, data_batch)

    def build_once(self, data: Any) -> None:
        """Does nothing: a train step must not create variables on JAX."""

    def _join_workers(self) -> None:
        """Does nothing: JAX has no parameter servers."""


def _check_none_made(before: tuple, after: tuple) -> None:
    """Raises ValueError if a step has made variables, which would be lost."""
    kept = {id(v) for group in before for v in group}
    made = [v.path for group in after for v in group if id(v) not in kept]
    if made:
        raise ValueError(
            "A train step on JAX must not make variables: nothing would keep "
            "their values. Make them in `__init__` or `build` of the layer or "
            f"metric. Received: {made}, which the first step has made"
        )


def _check_trained(
    optimizer: keras.Optimizer, trained: Sequence[keras.Variable]
) -> None:
    """Raises ValueError if the optimizer was made for other variables."""
    then = {id(v): v for v in _keras_internals.optimized(optimizer)}
    now = {id(v): v for v in trained}
    differing = [
        v.path
        for key, v in {**then, **now}.items()
        if key not in then or (key not in now)
    ]
    if differing:
        raise ValueError(
            "Other variables are trained now than the optimizer was made for. "
            "Call `compile` again, with a new optimizer, after freezing "
            f"layers or making them trainable. Received: {differing}"
        )
