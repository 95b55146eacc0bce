"""Trains one network of `benchmarks.cheaper`."""

import time

import keras
import numpy as np

import keras_sam
from benchmarks.cheaper import grid
from examples import data
from examples import models


def train(run):
    """Trains as a `grid.Run` says; returns its results by column."""
    keras.utils.clear_session()  # Several runs in one process: all alike.
    arrays = load(run)
    # Not before, since TFDS draws random numbers when it prepares data.
    keras.utils.set_random_seed(run.seed)
    model = build(run, arrays)
    per_epoch = len(arrays.train[1]) // grid.BATCH_SIZE
    batches = data.train_batches(
        arrays, grid.BATCH_SIZE, run.seed, range(-(-run.steps // per_epoch))
    )
    iterator = iter(batches)
    model.make_train_function()
    seconds = []
    for _ in range(run.steps // grid.CHUNK):
        begin = time.perf_counter()
        logs = model.train_function(iterator)
        float(logs["loss"])  # So that the work is done.
        seconds.append(time.perf_counter() - begin)
    test = model.evaluate(
        data.test_batches(arrays, 1000), return_dict=True, verbose=0
    )
    return {
        "climbs": _climbs(model, run.steps),
        "test_accuracy": test["accuracy"],
        "test_loss": test["loss"],
        # Without the first call, which traces.
        "seconds": np.mean(seconds[1:] or seconds) * len(seconds),
    }


def load(run):
    """Returns the data, a part of the training labels wrong."""
    arrays = data.load(run.dataset, run.data_dir)
    images, labels = arrays.train
    labels = data.with_label_noise(
        labels, run.noise, arrays.num_classes, run.seed
    )
    return data.Arrays((images, labels), arrays.test, arrays.num_classes)


def build(run, arrays):
    """Returns the compiled model."""
    arm = grid.ARMS[run.method]
    network = models.build(
        run.model,
        arrays.train[0].shape[1:],
        arrays.num_classes,
    )
    model = keras_sam.SAM(network, **arm.arguments(run.rho, run.steps))
    model.compile(
        keras.optimizers.SGD(
            arm.rate(run.steps),
            momentum=grid.MOMENTUM,
            weight_decay=grid.WEIGHT_DECAY,
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        steps_per_execution=grid.CHUNK,
    )
    return model


def _climbs(model, steps):
    """Returns how many of the steps have climbed."""
    if model.climbs is not None:
        return model.climbs
    return steps if model.ascent_steps else 0
