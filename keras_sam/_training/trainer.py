"""The train step: read the variables, step, take the mean, write."""

from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._algorithm import objective
from keras_sam._algorithm import selection
from keras_sam._algorithm import splits
from keras_sam._algorithm.step import step
from keras_sam._backend import batches
from keras_sam._backend import compiling
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._backend import variables
from keras_sam._evaluation import evaluator as evaluators
from keras_sam._training import aggregation
from keras_sam._training import agreement
from keras_sam._training import corrections
from keras_sam._training import delegation
from keras_sam._training import fingerprint
from keras_sam._training import loops
from keras_sam._training import optimizer_step
from keras_sam._training import preparing
from keras_sam._training import tracking
from keras_sam._training import write_back
from keras_sam._types import Batch


class Trainer(
    preparing.Preparing, delegation.Delegation, loops.Loops, tracking.Tracking
):
    """A wrapper that trains its inner `model` with the steps of a `Method`."""

    # A subclass sets the method, and a `MemoryWeights` without weights.
    # `_ensure_memory` makes its weights.
    _method: Any = None
    _memory: Any = None
    # A subclass sets the `RadiusWeight`, where users can set the radius.
    _radius: Any = None

    def check_compiled(self, method_name: str | None = None) -> None:
        """Raises ValueError unless the wrapper itself is compiled."""
        if not self.compiled:
            inner = (
                " `model` was compiled before it was wrapped: the wrapper does "
                "not take that over."
                if self.model.compiled
                else ""
            )
            raise ValueError(
                "The wrapper must be compiled before "
                f"`{method_name or 'training'}`: call sam.compile(optimizer, "
                f"loss, metrics).{inner} Received: {self.name!r} (a "
                f"{type(self).__name__}), which is not compiled"
            )

    def make_train_function(self, force: bool = False) -> None:
        """Makes what `fit` calls, and the memory of what it trains."""
        if self.train_function is None or force:
            # No function uses the memory any more: `compile` has dropped it.
            self._memory.release()
        with self.variable_scope():
            self._ensure_memory()
        super().make_train_function(force)

    def step_on(self, data):
        """Climbs, combines the gradients, and descends from the weights.

        Only the clean pass changes metrics and state (batch statistics, seeds).
        The passes of the climb start from the same state, so they have the same
        dropout mask. They change no variable.

        Args:
            data: A batch as `fit` takes it.

        Returns:
            Dict of the logs.
        """
        method = self._present_method()
        if method.descent.decoupled:
            corrections.check(self.optimizer)
        # All variables exist from here on, and none changes until the end.
        self.build_once(data)
        self._ensure_memory()
        batch = Batch(*keras.utils.unpack_x_y_sample_weight(data))
        evaluator = self._evaluator()
        outcome = aggregation.mean(
            self._climb(method, evaluator), evaluator, batch, method
        )
        evaluator.check_trained()
        self._write(evaluator, outcome)
        return self._logs(batch, batches.size(batch), outcome)

    def _climb(self, method, evaluator):
        """Returns a function from a `Batch` and state to an `Outcome`.

        It is the step on the examples of one replica, as the mean over the
        parts of its batch.
        """
        chosen = self._selection()
        weights = values.read(evaluator.params)
        memory = self._memory.read(evaluator.params, chosen)
        iterations = self.optimizer.iterations
        together = method.sync_perturbations and replicas.strategic()
        kind = objective.Synced if together else objective.Local

        def climb(batch, state):
            def stepped(part, state):
                at = kind(evaluator, part, state, iterations, chosen)
                return step(method, at, weights, memory)

            def outputs(part):
                return evaluator(weights, state, part, gradient=False).y_pred

            return splits.mean(
                stepped,
                outputs,
                self,
                batch,
                method.splits,
                state,
                evaluator.accumulators,
            )

        return climb

    def _present_method(self):
        """Returns the method, with the radius of now where it can be set."""
        if self._radius is None:
            return self._method
        return self._method.at_radius(*values.read([self._radius.weight]))

    def _evaluator(self):
        """Returns the `Evaluator` of this train step."""
        method = self._method
        # Means over replicas, and division by a constant loss scale in Keras,
        # need dense gradients.
        sliced = (
            method.takes_slices
            and not replicas.strategic()
            and self.optimizer.loss_scale_factor is None
        )
        return evaluators.Evaluator(
            self,
            replicas.count(),
            compiling.compiles(method.xla, self),
            sliced=sliced,
            once=method.evaluates_once,
        )

    def _write(self, evaluator, outcome):
        """Assigns the outcome of a step to the variables."""
        # State first: a layer may assign weights (SpectralNormalization).
        write_back.write_state(evaluator, outcome.state)
        corrections.apply(
            self.optimizer,
            # Only a decoupled descent has a correction.
            zip(outcome.correction, evaluator.params, strict=False),
        )
        optimizer_step.apply(
            self.optimizer,
            write_back.grads_and_variables(
                evaluator, outcome.grads, outcome.overwrites
            ),
        )
        self._memory.write(
            outcome.memory, outcome.grads if evaluator.loss_scaled else []
        )

    def _logs(self, batch, size, outcome):
        """Updates the metrics; returns the logs of the step."""
        _keras_internals.loss_tracker(self).update_state(
            outcome.loss, sample_weight=size
        )
        logs = self.compute_metrics(
            batch.x,
            batch.y,
            outcome.y_pred,
            sample_weight=batch.sample_weight,
        )
        return self._with_measured(outcome.measured, size, logs)

    def _selection(self):
        """Returns the `Selection` of the trained variables that move."""
        return selection.select(
            self._method.perturb,
            variables.trained(self),
            self,
        )

    def _ensure_memory(self):
        """Makes the memory, if it is missing or for other variables.

        It may be called at any time, also while a graph is traced. A memory
        that train steps have read stays as it is until `compile`.
        """
        trained = variables.trained(self)
        if trained and self.model.built:
            with keras.name_scope(self.name, caller=self):
                self._memory.make(trained, self._selection())

    def load_own_variables(self, store):
        """Makes the memory, so that Keras can load it; loads own weights."""
        self._ensure_memory()
        super().load_own_variables(store)


def agree(model, arguments):
    """Raises ValueError on all workers if they wrap different models.

    Workers that differ, in the arguments too, would hang when they create
    variables.

    Args:
        model: The inner model.
        arguments: Dict, the arguments of the wrapper.
    """
    agreement.agree(
        replicas.current(), lambda: fingerprint.of_wrapper(model, arguments)
    )
