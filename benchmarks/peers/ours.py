"""Keras and keras_sam, as a worker of `benchmarks.peers`.

Keras 2 has everything here but `wrap`: see `tf_keras.py`.
"""

import math
import sys

import keras
import tensorflow as tf

from benchmarks import networks
from benchmarks.peers import worker


def start(network, method, x, y, mode, wrap):
    """Returns what `worker.serve` asks for.

    Args:
        network: Key of `networks.NETWORKS`.
        method: "plain" or "SAM".
        x, y: NumPy arrays, the batch.
        mode: "graph"; "xla" to compile the whole step; or "fused" for batch
            normalization by TensorFlow's kernel.
        wrap: Class of the wrapper that SAM is.
    """
    model = networks.NETWORKS[network].build()
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    if method == "SAM":
        model = wrap(model, rho=worker.RHO)
    model.compile(
        keras.optimizers.SGD(worker.RATE, momentum=worker.MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=mode == "xla",
    )
    data = tf.data.Dataset.from_tensors((x, y)).repeat()
    # Makes the function that `fit` calls in every step.
    model.fit(data, steps_per_epoch=1, verbose=0)
    batches = iter(data)

    def run(steps):
        for _ in range(steps):
            logs = model.train_function(batches)
        float(logs["loss"])

    return {"parameters": parameters}, run


def main():
    # Not for Keras 2.
    import keras_sam
    from benchmarks import fused

    if "fused" in sys.argv:
        keras.layers.BatchNormalization = fused.BatchNormalization

    worker.serve(
        lambda *arguments: start(*arguments, wrap=keras_sam.SAM),
        f"Keras {keras.__version__}, TensorFlow {tf.__version__}",
    )


if __name__ == "__main__":
    main()
