"""Train steps of Keras on TensorFlow, as `fit` calls them."""

import tensorflow as tf

from benchmarks import programs


def trainer(model, batch):
    """Returns a function that trains for so many steps, and waits for the last.

    Its first step traces and compiles.

    Args:
        model: `keras.Model`, compiled.
        batch: (x, y), NumPy arrays.
    """
    # The batch is in memory, and the same tensors in every step.
    data = tf.data.Dataset.from_tensors(batch).cache().repeat()
    batches = iter(data)
    model.make_train_function()

    def train(steps):
        for _ in range(steps):
            logs = model.train_function(batches)
        float(logs["loss"])  # A device may still be at it.

    return train


def start(compiled):
    """Does what the backend, and if `compiled` XLA, does once at the start."""
    tf.function(lambda x: x + 1, jit_compile=compiled)(tf.zeros(1))


def program_memory(model, batch):
    """Returns the bytes of the program that XLA makes of a whole step."""
    return programs.memory(programs.compiled(model, batch)).total
