"""Measures the climbs of one network, as a user could before training."""

import dataclasses

import keras

from benchmarks.cheaper import grid as cheaper
from benchmarks.cheaper import training
from benchmarks.tuning import grid
from examples import data
from keras_sam import landscape
from keras_sam import vectors


def measure(run):
    """Returns rows of numbers by column, for each moment and radius.

    Args:
        run: `grid.Run` of SGD.
    """
    keras.utils.clear_session()  # Several runs in one process: all alike.
    arrays = training.load(run)
    looked_at = data.ordered_batches(
        arrays, "train", grid.MEASURED, grid.BATCH_SIZE
    )
    rows = []
    for moment, method in grid.MOMENTS.items():
        model = _after(run, arrays, method)
        at = landscape.Landscape(model, looked_at, training=True, xla=False)
        mean = landscape.climbs(at, run.radii, ascent_steps=1).mean()
        at_weights = {
            "moment": moment,
            "loss": at.loss(at.params),
            "weight_norm": float(vectors.norm(at.params)),
        }
        for place, rho in enumerate(run.radii):
            numbers = {name: float(mean[name][place]) for name in mean}
            rows.append({**at_weights, "rho": float(rho), **numbers})
    return rows


def _after(run, arrays, method):
    """Returns the model after the first epoch of a method, or at the start."""
    first = dataclasses.replace(
        run,
        method=method or cheaper.SGD,
        rho=run.radii[0] if method == cheaper.SAM else 0.0,
    )
    keras.utils.set_random_seed(run.seed)
    model = training.build(first, arrays)
    if method is not None:
        model.jit_compile = False  # To compile would take longer.
        model.steps_per_execution = 1  # An epoch is no multiple of it.
        epoch = data.train_batches(
            arrays, cheaper.BATCH_SIZE, run.seed, range(1)
        )
        model.fit(epoch, verbose=0)
    return model
