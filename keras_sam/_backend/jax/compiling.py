"""What XLA compiles: the whole train step or nothing, as Keras decides.

Compiled evaluations within a step that is not compiled are not offered: each
step would trace and compile them anew.
"""

from keras_sam._backend import xla_layers


def compiles(xla, model):
    """Returns False: no evaluations of gradients are compiled on their own.

    Args:
        xla: True, False or "auto".
        model: `keras.Model`, compiled.

    Raises:
        ValueError: If `xla` is a bool, and Keras decides otherwise on the
            train step; or if it is True, and a layer does not support XLA.
    """
    if model.run_eagerly:
        return False
    compiles_alone(xla, model)  # Raises errors.
    if xla not in ("auto", bool(model.jit_compile)):
        raise ValueError(
            f"`xla={xla}` needs `compile(..., jit_compile={xla})` on the JAX "
            "backend, where XLA compiles the whole train step or nothing. "
            f"Received: xla={xla} and jit_compile={model.jit_compile}. "
            '(`xla="auto"` follows `jit_compile`.)'
        )
    return False


def compiles_alone(xla, model):
    """Whether XLA compiles functions that are no part of a train step.

    "auto" follows `model.jit_compile`.

    Args:
        xla: True, False or "auto".
        model: `keras.Model`, compiled.

    Raises:
        ValueError: If `xla` is True, and a layer does not support XLA.
    """
    if model.run_eagerly:
        return False
    if xla is True:
        xla_layers.check(model)
    return model.jit_compile if xla == "auto" else xla


def words(xla, model):
    """Returns a line that says what XLA compiles."""
    if model.run_eagerly:
        return "XLA: it compiles nothing (`run_eagerly=True`)."
    try:
        compiles(xla, model)
    except ValueError as error:
        return f"XLA: no train step. {error}."
    if model.jit_compile:
        return "XLA: it compiles the whole train step (`jit_compile=True`)."
    return "XLA: it compiles nothing (`jit_compile=False`)."
