"""Keras and keras_sam, as a worker of `benchmarks.peers`.

Keras 2 has everything here but `wrap` and `trainer`: see `tf_keras.py`.
"""

import math
import sys

import keras

from benchmarks import networks
from benchmarks.peers import worker


def start(network, method, x, y, mode, wrap, trainer):
    """Returns what `worker.serve` asks for.

    Args:
        network: Key of `networks.NETWORKS`.
        method: "plain" or "SAM".
        x, y: NumPy arrays, the batch.
        mode: "graph"; "xla" to compile the whole step; or "fused" for batch
            normalization by TensorFlow's kernel.
        wrap: Class of the wrapper that SAM is.
        trainer: As `stepping.trainer`.
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
    return {"parameters": parameters}, trainer(model, (x, y))


def main():
    # Not for Keras 2.
    import keras_sam
    from benchmarks import engine

    if "fused" in sys.argv:
        from benchmarks import fused  # It is TensorFlow's.

        keras.layers.BatchNormalization = fused.BatchNormalization

    worker.serve(
        lambda *arguments: start(
            *arguments, wrap=keras_sam.SAM, trainer=engine.stepping.trainer
        ),
        f"Keras {keras.__version__}, {engine.device.VERSION}",
    )


if __name__ == "__main__":
    main()
