"""One of two processes that share each sharded weight, for tests.

    python -m tests.jax.sharing PORT INDEX FOLDER

Each process has two devices of a mesh of 2 by 2, and half of each column of the
weights. The process writes files into the folder, and says what it has found.
"""

import pathlib
import sys

import keras
import numpy as np

from keras_sam import distribute
from keras_sam import landscape
from tests.jax import landscape_test
from tests.jax import meshes
from tests.jax import worker
from tests.support import processes
from tests.support import testing

# Functions that look at a climb, or at whole vectors.
MEASURED = ("loss", "path", "climbs", "top eigenvalue", "trace")
SIZE = 8  # Of a batch. Each process has all examples.


def distribution():
    """Returns a `ModelParallel` whose axis "model" is along the processes."""
    devices = np.reshape(keras.distribution.list_devices(), (2, 2)).T
    mesh = keras.distribution.DeviceMesh((2, 2), ("batch", "model"), devices)
    layouts = keras.distribution.LayoutMap(mesh)
    layouts["hidden/kernel"] = (None, "model")
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
    )


def fitted(**arguments):
    """Returns a wrapper with batch statistics and a memory, trained."""
    sam = meshes.wrapped(
        testing.full_net, direction=testing.Averaged(), **arguments
    )
    sam.fit(*testing.data(16), batch_size=SIZE, shuffle=False, verbose=0)
    return sam


def written(sam, folder):
    """Writes files of each kind; processes read one of them again."""
    sam.save(folder / "sam.keras")
    sam.save_weights(folder / "sam.weights.h5")
    inner = folder / "inner.keras"
    with distribute.writing(None, str(inner), sam.model) as path:
        sam.model.save(path)
    before = sam.evaluate(*testing.data(16), batch_size=SIZE, verbose=0)
    for variable in sam.trainable_variables:
        variable.assign(0 * variable.value)
    sam.load_weights(folder / "sam.weights.h5")
    after = sam.evaluate(*testing.data(16), batch_size=SIZE, verbose=0)
    (kernel,) = [v for v in sam.weights if v.path == "hidden/kernel"]
    return {
        "evaluated": [before, after],
        "shared": not kernel.value.is_fully_replicated,
    }


def handed_out(sam, folder):
    """Returns all weights; writes those that an exported model has.

    Keras exports with TensorFlow, so a function stands in the place of its own.
    """

    def export(path):
        np.savez(path, *sam.model.get_weights())

    sam.model.export = export
    sam.export(folder / "exported.npz")
    return {"weights": [w.tolist() for w in sam.get_weights()]}


def measured(sam):
    """Returns what each function of `landscape` finds."""
    at = landscape.Landscape(sam, *testing.data(16), batch_size=SIZE)
    return {
        name: np.hstack(landscape_test.FUNCTIONS[name](at)).tolist()
        for name in MEASURED
    }


def uneven(sam):
    """Returns outputs of 15 examples, and the error of a loss on them."""
    x, y = (rows[:15] for rows in testing.data(16))
    try:
        sam.evaluate(x, y, batch_size=SIZE, verbose=0)
    except ValueError as error:
        refused = str(error)
    outputs = sam.predict(x, batch_size=SIZE, verbose=0)
    return {"outputs": outputs.tolist(), "refused": refused}


def main(port, index, folder):
    """Trains, writes and measures; says what came out."""
    worker.join(int(port), int(index))
    keras.distribution.set_distribution(distribution())
    sam = fitted()
    folder = pathlib.Path(folder)
    files = {**written(sam, folder), **handed_out(sam, folder)}
    processes.say({**files, **measured(sam), **uneven(sam)})


if __name__ == "__main__":
    main(*sys.argv[1:])
