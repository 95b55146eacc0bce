"""tf_keras, which is Keras 2, as a worker of `peers.py`.

It runs the code of `peers_keras.py`, on the networks of `networks.py`.
"""

import sys

import tf_keras

# What `import keras` then finds, here and in all that is imported below.
sys.modules["keras"] = tf_keras

from benchmarks import peers_keras  # noqa: E402
from benchmarks import peers_worker  # noqa: E402


def start(*arguments):
    """Returns what `peers_worker.serve` asks for."""
    return peers_keras.start(
        *arguments,
        wrap=tf_keras.models.experimental.SharpnessAwareMinimization,
    )


if __name__ == "__main__":
    peers_worker.serve(start, f"tf_keras {tf_keras.__version__}")
