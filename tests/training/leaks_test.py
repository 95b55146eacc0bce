"""Nothing of a training lives on after the wrapper is deleted."""

import contextlib
import gc
import sys
import weakref

import pytest

from tests.support import engine  # isort: skip
from tests.support import testing  # isort: skip

import keras

import keras_sam
from keras_sam import cadences
from keras_sam import callbacks
from keras_sam import descents
from keras_sam import landscape

METHODS = {
    "one step": {},
    "three steps": {"ascent_steps": 3, "descent": descents.Mean()},
    "cadence": {"cadence": cadences.Every(2)},
    "memory": {"direction": testing.Averaged()},
    "tracked": {"track": True},
}


def ours():
    """Returns all objects of the library that are no modules or classes."""
    # Some objects only say that they have a class, so `type` asks.
    return [
        o
        for o in gc.get_objects()
        if str(type(o)).startswith("<class 'keras_sam.")
    ]


def graphs():
    """Returns all graphs of TensorFlow."""
    if engine.JAX:
        return []
    graph = engine.tf.Graph
    return [o for o in gc.get_objects() if issubclass(type(o), graph)]


def collected():
    """Returns the ids of what is alive and should not outlive a training."""
    gc.collect()
    return {id(o) for o in ours() + graphs()}


def train(
    optimizer="adam", fitted=(), devices=contextlib.nullcontext, **arguments
):
    """Trains; returns weak references to the wrapper and its model."""
    eager = arguments.pop("run_eagerly", False)
    with devices():
        sam = keras_sam.SAM(testing.dense_net(), **arguments)
        sam.compile(
            optimizer,
            testing.cross_entropy(),
            metrics=["accuracy"],
            run_eagerly=eager,
        )
        x, y = testing.data(16)
        sam.fit(x, y, batch_size=8, verbose=0, callbacks=list(fitted))
    return sam, [weakref.ref(o) for o in (sam, sam.model, sam.optimizer)]


def assert_nothing_left(references, before):
    gc.collect()
    assert not any(reference() for reference in references)
    left = [o for o in ours() + graphs() if id(o) not in before]
    assert not left, [type(o) for o in left]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "where",
    testing.thinned(
        ["eager", "graph", "two replicas"], lambda i, where: where != "eager"
    ),
)
def test_nothing_is_left_of_a_training(where, method):
    settings = {
        "eager": {"run_eagerly": True},
        "graph": {},
        "two replicas": {"devices": engine.two_devices},
    }
    before = collected()
    sam, references = train(**METHODS[method], **settings[where])
    del sam
    assert_nothing_left(references, before)


def test_nothing_is_left_of_optimizers_that_hold_others():
    before = collected()
    inner = keras.optimizers.SGD(0.1, global_clipnorm=1.0, use_ema=True)
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    sam, references = train(optimizer)
    del sam, optimizer, inner
    assert_nothing_left(references, before)


def test_nothing_is_left_of_a_backup(tmp_path):
    before = collected()
    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    sam, references = train(fitted=[backup])
    del sam, backup
    assert_nothing_left(references, before)


def test_results_of_the_landscape_keep_no_model():
    before = collected()
    sam, references = train()
    view = landscape.Landscape(sam, *testing.data(16))
    eigenvalues = landscape.eigenvalues(view, k=1)
    sharpness = landscape.sharpness(view)
    del sam, view
    gc.collect()
    assert not any(reference() for reference in references)
    del eigenvalues, sharpness
    assert_nothing_left(references, before)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
