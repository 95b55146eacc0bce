"""Whether XLA compiles the evaluations of gradients on their own.

On JAX Keras compiles the whole train step, so there is nothing left to compile
within it. A step that Keras does not compile (`jit_compile=False`) may have
compiled evaluations, by `xla=True`.
"""

from keras_sam import _keras_internals


def compiles(xla, model):
    """Whether XLA compiles the evaluations of gradients on their own.

    Args:
        xla: True, False or "auto".
        model: `keras.Model`, compiled.

    Raises:
        ValueError: If `xla` is True, and a layer does not support XLA; or if
            `xla` is False, and Keras compiles the train step.
    """
    if model.run_eagerly:
        return False
    if xla is False and model.jit_compile:
        raise ValueError(
            "`xla=False` needs `compile(..., jit_compile=False)` on the JAX "
            "backend, where XLA compiles the whole train step or nothing. "
            'Received: xla=False and jit_compile=True. (`xla="auto"` follows '
            "`jit_compile`.)"
        )
    return not model.jit_compile and compiles_alone(xla, model)


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
    if xla is True and not _keras_internals.supports_jit(model):
        layers = [
            f"{layer.name!r} (a {type(layer).__name__})"
            for layer in _keras_internals.layers(model)
            if not layer.supports_jit
        ]
        raise ValueError(
            "`xla=True` needs layers that XLA can compile. Received a model "
            f"with layers that have `supports_jit=False`: {', '.join(layers)}"
        )
    return model.jit_compile if xla == "auto" else xla


def words(xla, model):
    """Returns a line that says what XLA compiles."""
    if model.run_eagerly:
        return "XLA: it compiles nothing (`run_eagerly=True`)."
    if model.jit_compile and xla is not False:
        return "XLA: it compiles the whole train step."
    try:
        by_itself = compiles(xla, model)
    except ValueError as error:
        return f"XLA: no train step. {error}."
    what = "the evaluations of gradients" if by_itself else "nothing"
    return f"XLA: it compiles {what} (`jit_compile=False`, `xla={xla!r}`)."
