"""The data that Keras's loops read."""

from typing import Any

from keras_sam._keras_internals.package import KERAS


def data_of_epoch(iterator: Any) -> Any:
    """Returns what Keras's iterator over an epoch reads: data of a strategy.

    Read in Keras 3.14 and 3.15: `TFEpochIterator._get_iterator`.
    """
    return KERAS.private(iterator, "_get_iterator")()


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
