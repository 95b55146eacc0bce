"""tf_keras, which is Keras 2, as a worker of `benchmarks.peers`.

It runs the code of `ours.py`, on the networks of `networks.py`.
"""

import sys

import tensorflow as tf
import tf_keras

# What `import keras` then finds, here and in all that is imported below.
sys.modules["keras"] = tf_keras

from benchmarks.peers import ours  # noqa: E402
from benchmarks.peers import worker  # noqa: E402


def trainer(model, batch):
    """Returns a function that trains for so many steps, and waits."""
    data = tf.data.Dataset.from_tensors(batch).repeat()
    # Makes the function that `fit` calls in every step.
    model.fit(data, steps_per_epoch=1, verbose=0)
    batches = iter(data)

    def train(steps):
        for _ in range(steps):
            logs = model.train_function(batches)
        float(logs["loss"])

    return train


def start(*arguments):
    """Returns what `worker.serve` asks for."""
    return ours.start(
        *arguments,
        wrap=tf_keras.models.experimental.SharpnessAwareMinimization,
        trainer=trainer,
    )


if __name__ == "__main__":
    worker.serve(start, f"tf_keras {tf_keras.__version__}")
