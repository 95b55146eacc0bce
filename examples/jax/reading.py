"""Reads data sets into memory, without TensorFlow."""

import importlib

import numpy as np

from examples.arrays import MADE_HERE
from examples.arrays import Arrays


def load(name, data_dir):
    """Returns the `Arrays` of a data set, as data.py describes it.

    TFDS can read without TensorFlow what it has written as ArrayRecord, and
    keeps that beside what it writes otherwise. To write images it needs
    TensorFlow.

    Raises:
        ImportError: If it must be written, and there is no TensorFlow.
    """
    if name in MADE_HERE:
        return MADE_HERE[name]()
    # Only now: TFDS takes seconds, and may import TensorFlow.
    prepared = importlib.import_module("examples.prepared")
    try:
        builder, classes = prepared.prepared(name, data_dir, "array_record")
        sources = builder.as_data_source(["train", "test"])
        train, test = map(_arrays, sources)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"TFDS cannot write {name!r} without TensorFlow. Install it beside "
            "JAX, or bring the data as ArrayRecord from a machine that has it, "
            f"or choose --dataset={' or --dataset='.join(MADE_HERE)}, which "
            f"need neither. Received: {error}"
        ) from error
    return Arrays(train, test, classes)


def _arrays(source):
    """Returns images and labels of a data source of TFDS."""
    examples = [(example["image"], example["label"]) for example in source]
    images, labels = zip(*examples, strict=True)
    return np.stack(images), np.array(labels, np.int64)
