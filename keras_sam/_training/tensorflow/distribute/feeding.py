"""What several replicas, and several workers, are fed by Keras's loops."""

import inspect

import keras
import tensorflow as tf
from keras import tree

from keras_sam._backend import replicas
from keras_sam._training.tensorflow.distribute import agreement


def check_fit(model, args, kwargs):
    """Returns the numbers among the arguments of `fit`, by name.

    Raises:
        ValueError: If batches are known to be smaller than the replicas are
            many. (Not if the last one is: then some replicas get no example.)
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas == 1:
        return {}
    signature = inspect.signature(keras.Model.fit).bind(model, *args, **kwargs)
    signature.apply_defaults()
    given = signature.arguments
    size = given["batch_size"]
    if isinstance(given["x"], tf.data.Dataset):
        shapes = [
            spec.shape
            for spec in tree.flatten(given["x"].element_spec)
            if isinstance(spec, tf.TensorSpec)
        ]
        size = shapes[0][0] if shapes and shapes[0].rank else None
    if size is not None and size < replicas:
        raise ValueError(
            "A batch is split among the replicas, so it must hold an example "
            f"for each of the {replicas}. Received: a batch of {size}"
        )
    numbers = {**given, **(given["class_weight"] or {})}
    return {
        str(name): value
        for name, value in numbers.items()
        if isinstance(value, (int, float)) and name != "verbose"
    }


def check_predict(model, x):
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


def even_steps(strategy, iterator):
    """Lets all workers take the same steps, with all of their data.

    Keras stops at the number of batches of the worker's data set, which is not
    that of the workers' parts of it, nor the same for all where each has its
    own. Instead all go on until no worker has any data left: meanwhile
    TensorFlow gives the others empty batches.
    """
    adapter = iterator.data_adapter
    if isinstance(adapter, _Endless):
        return  # Validation, in every epoch.
    told = agreement.exchange(strategy, adapter.num_batches)
    if len(set(told.values())) > 1 or (told and hasattr(adapter, "_dataset")):
        iterator.data_adapter = _Endless(adapter)
        if not iterator.steps_per_epoch:
            # Data that end are no surprise, of which Keras warns.
            iterator._interrupted_warning = lambda: None
        iterator.reset()


def first(iterator):
    """Returns the first batch of Keras's iterator over an epoch."""
    _, _, batches = next(iter(iterator))
    return next(batches)


def part(strategy, batch):
    """Returns the part of a batch that the first replica here has."""
    return tree.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], batch
    )


class _Endless:
    """A data adapter that does not say how many batches it has."""

    num_batches = None

    def __init__(self, adapter):
        self._adapter = adapter

    def __getattr__(self, name):
        return getattr(self._adapter, name)
