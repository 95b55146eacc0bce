"""Steps of `fit` that pass over batches instead of training on them."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_sam._training import skipping
from keras_sam._training.jax import inner_steps


class Skip(skipping.Skip):
    """Passes over batches, as a train function of JAX."""

    def install(self) -> None:
        """Makes this the train function, for one call.

        The first time it restores the metrics. On JAX `fit` has built them, and
        it takes their values out of the variables after this.
        """
        if self._is_first():
            self._restore()
        super().install()

    def __call__(
        self, state: Any, iterator: Iterator
    ) -> tuple[Mapping[str, Any], Any]:
        """Advances an iterator by the batches of one execution.

        Args:
            state: Lists of the values of all variables, which `fit` has taken
                out of the variables.
            iterator: Iterator over batches.

        Returns:
            (logs, `state`).
        """
        try:
            self._pass_over(iterator)
        except Exception:
            # After an error `fit` puts back only what a first step returned.
            for variable, value in inner_steps.pairs(self._groups(), state):
                variable.assign(value)
            raise
        return self._logs, state

    def _groups(self) -> tuple:
        trained, others, metrics = inner_steps.groups(self._model)
        return trained, others, self._model.optimizer.variables, metrics
