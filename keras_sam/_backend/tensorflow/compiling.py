"""Whether XLA compiles the evaluations of gradients: as Keras decides."""

import tensorflow as tf

from keras_sam import _keras_internals
from keras_sam._backend import xla_layers
from keras_sam._backend.tensorflow import replicas


def compiles(xla, model):
    """Whether XLA compiles the evaluations of gradients.

    "auto" follows `model.jit_compile`, which is what the user or Keras has
    decided in `compile`. Under a strategy Keras compiles nothing, since XLA
    cannot compile what replicas do together. It can compile the evaluations, so
    a wrapper leaves its `jit_compile` open there: it is None. "auto" then asks
    what Keras asks without a strategy: is there more than a CPU, where
    TensorFlow's own kernels are faster, and do all layers support XLA?

    Args:
        xla: True, False or "auto".
        model: `keras.Model`, compiled.

    Raises:
        ValueError: If `xla` is True, and a layer does not support XLA.
    """
    if model.run_eagerly or by_strategy():
        return False
    if xla is True:
        xla_layers.check(model)
    if xla != "auto":
        return xla
    if model.jit_compile is None:
        return accelerated() and _keras_internals.supports_jit(model)
    return model.jit_compile and (replicas.count() > 1 or accelerated())


def words(xla, model):
    """Returns a line that says what XLA compiles.

    Args:
        xla: True, False or "auto".
        model: `keras.Model`, compiled.
    """
    count = model.distribute_strategy.num_replicas_in_sync
    if model.jit_compile is True and count == 1:
        return "XLA: it compiles the whole train step (`jit_compile=True`)."
    with model.distribute_strategy.scope():
        if by_strategy():
            return "XLA: the strategy compiles the whole train step."
        try:
            by_itself = compiles(xla, model)
        except ValueError as error:
            return f"XLA: no train step. {error}."
    what = "it compiles" if by_itself else "it does not compile"
    asked = "`run_eagerly=True`" if model.run_eagerly else f"`xla={xla!r}`"
    return f"XLA: {what} the evaluations of gradients ({asked})."


def by_strategy():
    """Whether the strategy compiles the whole train step by itself."""
    return isinstance(replicas.current(), tf.distribute.TPUStrategy)


def accelerated():
    """Whether TensorFlow has another device than CPUs."""
    return any(d.device_type != "CPU" for d in tf.config.list_logical_devices())
