"""Inputs of `predict` that devices cannot share evenly."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import jax
import keras
import numpy as np
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend.jax import replicas
from keras_sam._training import agreement
from keras_sam._training.jax.distribute import feeding


class Padding:
    """Repeats the last example of a batch until devices can share the batch.

    Keras gives nothing to hold on to within `predict`: the batches must be what
    devices can share. In inference an example does not depend on the others.

    Args:
        arguments: Dict of the arguments that `predict` was given, by name. It
            becomes what `predict` is to be called with.

    Raises:
        ValueError: On all processes, if they have other numbers of batches.
    """

    def __init__(self, arguments: dict[str, Any]) -> None:
        adapter = _keras_internals.data_adapter(
            arguments["x"],
            arguments.pop("batch_size", None),
            arguments.get("steps"),
        )
        distribution = keras.distribution.distribution()
        agreement.agree(
            distribution, feeding.numbers(adapter, arguments.get("steps"))
        )
        self._parts = feeding.parts_here(distribution)
        self._read = adapter.get_jax_iterator
        self._real: list[np.ndarray] = []
        adapter.get_jax_iterator = self._batches
        arguments["x"] = adapter

    def without(self, outputs: Any) -> Any:
        """Returns outputs without the rows of the examples that were added."""
        real = np.concatenate([np.ones(0, bool), *self._real])
        if real.all():
            return outputs
        return tree.map_structure(lambda rows: rows[real[: len(rows)]], outputs)

    def _batches(self) -> Iterator[Any]:
        self._real = []
        for data in self._read():
            feeding.check_dense(data)
            size = feeding.size_of(data) or 0
            added = -size % self._parts
            self._real.append(np.arange(size + added) < size)
            yield self._padded(data, added) if added else data

    def _padded(self, data: Any, added: int) -> Any:
        return tree.map_structure(
            lambda rows: (
                None
                if rows is None
                else np.concatenate([rows, np.repeat(rows[-1:], added, 0)])
            ),
            data,
        )


def own(function: Callable) -> Callable:
    """Returns a predict function whose outputs are those of this process.

    Args:
        function: Function of the state and an iterator over batches.
    """

    def of_this_process(state: Any, iterator: Iterator) -> tuple[Any, Any]:
        outputs, state = function(state, iterator)
        if jax.process_count() > 1 and replicas.current() is not None:
            outputs = tree.map_structure(replicas.own, outputs)
        return outputs, state

    return of_this_process
