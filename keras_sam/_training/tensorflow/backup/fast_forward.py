"""Steps of `fit` that pass over batches instead of training on them."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from keras_sam._evaluation import building
from keras_sam._training import skipping


class Skip(skipping.Skip):
    """Passes over batches, as a train function of TensorFlow."""

    def __call__(self, iterator: Any) -> Mapping[str, Any]:
        """Advances an iterator by the batches of one execution."""
        is_first = self._is_first()
        batch = self._pass_over(iterator)
        if is_first:
            _build(self._model, batch)
            self._restore()
        return self._logs


def _build(model: keras.Model, batch: Any) -> None:
    """Creates the variables of metrics that come with the first step."""
    strategy = model.distribute_strategy

    def part(value: Any) -> Any:
        missing = isinstance(value, tf.experimental.Optional)
        return strategy.experimental_local_results(None if missing else value)

    with strategy.scope():
        building.build(
            model, tree.map_structure(lambda v: part(v)[0], batch), metrics=True
        )
