"""The data that Keras's loops read."""

from collections.abc import Callable
from typing import Any

from keras_sam._keras_internals.package import KERAS


def data_of_epoch(iterator: Any) -> Any:
    """Returns what Keras's iterator over an epoch reads: data of a strategy.

    Read in Keras 3.14 and 3.15: `TFEpochIterator._get_iterator`.
    """
    return KERAS.private(iterator, "_get_iterator")()


def place_by(iterator: Any, place: Callable[[Any], Any]) -> None:
    """Lets a function put each batch of an epoch on devices, on JAX.

    Read in Keras 3.14 and 3.15: `JAXEpochIterator._get_iterator`.

    Args:
        iterator: Keras's iterator over an epoch, which may have begun.
        place: Function from a batch on the host to the batch on devices.
    """
    KERAS.private(iterator, "_get_iterator")
    iterator._get_iterator = lambda: map(
        place, iterator.data_adapter.get_jax_iterator()
    )
    iterator.reset()


def data_adapter(x: Any, batch_size: int | None, steps: int | None) -> Any:
    """Returns Keras's adapter of inputs, which loops take in their place.

    Read in Keras 3.14 and 3.15: `get_data_adapter` of
    `keras.src.trainers.data_adapters`.

    Args:
        x: Inputs, as `predict` takes them.
        batch_size: Int, or None, as for `predict`.
        steps: Int, or None, as for `predict`.
    """
    adapters = KERAS.module("keras.src.trainers.data_adapters")
    return KERAS.private(adapters, "get_data_adapter")(
        x, batch_size=batch_size, steps_per_epoch=steps
    )


def expect_end(iterator: Any) -> None:
    """Keeps an iterator over an epoch from warning that the data have ended.

    Read in Keras 3.14 and 3.15: `EpochIterator._interrupted_warning`.
    """
    KERAS.private(iterator, "_interrupted_warning")
    iterator._interrupted_warning = lambda: None


def holds_dataset(adapter: Any) -> bool:
    """Whether a data adapter hands on a data set that the user has made.

    Read in Keras 3.14 and 3.15: `TFDatasetAdapter` and `GrainDatasetAdapter`
    of `keras.src.trainers.data_adapters`.
    """
    adapters = KERAS.module("keras.src.trainers.data_adapters")
    names = ("TFDatasetAdapter", "GrainDatasetAdapter")
    return isinstance(
        adapter, tuple(KERAS.private(adapters, name) for name in names)
    )
