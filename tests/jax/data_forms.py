"""The forms of data that `fit` takes on JAX, for tests.

Run as a program, this trains on `tf.data`, which tests in this folder cannot
import, and says what came out.
"""

if __name__ == "__main__":
    import tensorflow as tf  # Before the line below blocks it.

from tests.support import engine  # isort: skip

import keras
import numpy as np
import pytest

from tests.jax import meshes
from tests.support import processes
from tests.support import testing

EXAMPLES, SIZE, EPOCHS = 24, 8, 2
STEPS = EXAMPLES // SIZE


class Batches(keras.utils.PyDataset):
    """The batches of the arrays, in their order."""

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        rows = slice(SIZE * index, SIZE * index + SIZE)
        return tuple(array[rows] for array in testing.data(EXAMPLES))


def arrays():
    return testing.data(EXAMPLES)


def data_set():
    return (Batches(),)


def workers():
    return (Batches(workers=2),)


def generator():
    return ((batch for _ in range(EPOCHS) for batch in Batches()),)


def loader():
    data = pytest.importorskip("torch.utils.data")
    examples = list(zip(*testing.data(EXAMPLES), strict=True))
    return (data.DataLoader(examples, batch_size=SIZE),)


def grain_data_set():
    grain = pytest.importorskip("grain")
    examples = list(zip(*testing.data(EXAMPLES), strict=True))
    return (grain.MapDataset.source(examples).batch(SIZE),)


def grain_loader():
    grain = pytest.importorskip("grain")
    examples = list(zip(*testing.data(EXAMPLES), strict=True))
    return (
        grain.DataLoader(
            data_source=examples,
            sampler=grain.samplers.SequentialSampler(
                EXAMPLES, grain.sharding.NoSharding()
            ),
            operations=[grain.transforms.Batch(SIZE)],
        ),
    )


def tensorflow_data_set():
    data = testing.data(EXAMPLES)
    return (tf.data.Dataset.from_tensor_slices(data).batch(SIZE),)


def trained(make, distribution):
    """Returns the weights after a training, a loss, and outputs.

    Args:
        make: Function of this module that returns the data.
        distribution: Distribution of Keras, or None.
    """
    with meshes.scope(distribution):
        sam = meshes.wrapped(testing.dense_net)
        # Else Keras builds the model from the data. It begins in another place
        # then if the data set has workers.
        sam.test_on_batch(*testing.data(SIZE))
        sam.fit(
            *make(),
            batch_size=SIZE if make is arrays else None,
            epochs=EPOCHS,
            steps_per_epoch=STEPS if make is generator else None,
            shuffle=False,
            verbose=0,
        )
        steps = {"steps": STEPS, "verbose": 0}
        loss = sam.evaluate(*make(), **steps, batch_size=SIZE)[0]
        (x, *_) = make()
        outputs = sam.predict(x, **steps, batch_size=SIZE)
        return [*map(np.ravel, sam.get_weights()), loss, outputs.ravel()]


if __name__ == "__main__":
    processes.say(
        [
            np.hstack(trained(tensorflow_data_set, distribution)).tolist()
            for distribution in (None, meshes.devices(engine.DEVICES))
        ]
    )
