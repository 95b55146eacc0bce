"""tf_keras, which is Keras 2, as a worker of `benchmarks.peers`.

It runs the code of `ours.py`, on the networks of `networks.py`.
"""

import sys

import tf_keras

# What `import keras` then finds, here and in all that is imported below.
sys.modules["keras"] = tf_keras

from benchmarks.peers import ours  # noqa: E402
from benchmarks.peers import worker  # noqa: E402


def start(*arguments):
    """Returns what `worker.serve` asks for."""
    return ours.start(
        *arguments,
        wrap=tf_keras.models.experimental.SharpnessAwareMinimization,
    )


if __name__ == "__main__":
    worker.serve(start, f"tf_keras {tf_keras.__version__}")
