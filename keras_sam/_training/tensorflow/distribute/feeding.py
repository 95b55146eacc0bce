"""What Keras's loops feed to several replicas, and to several workers."""

import inspect
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import replicas
from keras_sam._training import agreement
from keras_sam._training import fingerprint


def check_fit(
    model: keras.Model, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, int | float]:
    """Returns the numbers among the arguments of `fit`, by name.

    Raises:
        ValueError: If the known size of a batch is less than the number of
            replicas. (The last batch may be smaller: then some replicas get no
            example.)
    """
    count = model.distribute_strategy.num_replicas_in_sync
    if count == 1:
        return {}
    signature = inspect.signature(keras.Model.fit).bind(model, *args, **kwargs)
    signature.apply_defaults()
    arguments = signature.arguments
    size = arguments["batch_size"]
    if isinstance(arguments["x"], tf.data.Dataset):
        shapes = [
            spec.shape
            for spec in tree.flatten(arguments["x"].element_spec)
            if isinstance(spec, tf.TensorSpec)
        ]
        size = shapes[0][0] if shapes and shapes[0].rank else None
    if size is not None and size < count:
        raise ValueError(
            "A batch is split among the replicas, so it must hold an example "
            f"for each of the {count}. Received: a batch of {size}"
        )
    return fingerprint.of_fit(arguments)


def check_predict(model: keras.Model, x: Any) -> None:
    """Raises ValueError if several workers would not predict all of `x`."""
    if (
        len(replicas.tasks(model.distribute_strategy)) > 1
        and isinstance(x, tf.data.Dataset)
        and x.options().experimental_distribute.auto_shard_policy
        == tf.data.experimental.AutoShardPolicy.OFF
    ):
        raise ValueError(
            "On several workers `predict` returns the predictions of all to "
            "each, which needs one data set in common, divided by an "
            "`auto_shard_policy` other than OFF. Received: OFF"
        )


def even_steps(strategy: tf.distribute.Strategy, iterator: Any) -> None:
    """Lets all workers take the same steps, with all of their data.

    Keras stops at the number of batches of the worker's data set. The workers'
    parts of a data set have other numbers of batches, and where each worker has
    its own data set, the numbers may differ. Here all workers go on until none
    has any data left. Meanwhile TensorFlow gives empty batches to those whose
    data have ended.

    Args:
        strategy: `tf.distribute.Strategy`.
        iterator: Keras's iterator over an epoch.
    """
    adapter = iterator.data_adapter
    if isinstance(adapter, _Endless):
        return  # Validation data, which come by in every epoch.
    numbers = agreement.exchange(strategy, adapter.num_batches)
    if len(set(numbers.values())) > 1 or (
        numbers and _keras_internals.holds_dataset(adapter)
    ):
        iterator.data_adapter = _Endless(adapter)
        if not iterator.steps_per_epoch:
            _keras_internals.expect_end(iterator)
        iterator.reset()


def first(iterator: Any) -> Any:
    """Returns the first batch of Keras's iterator over an epoch."""
    _, _, batches = next(iter(iterator))
    return next(batches)


def part(strategy: tf.distribute.Strategy, batch: Any) -> Any:
    """Returns the part of a batch that the first replica here has."""
    return tree.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], batch
    )


class _Endless:
    """A data adapter that does not say how many batches it has."""

    num_batches = None

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)
