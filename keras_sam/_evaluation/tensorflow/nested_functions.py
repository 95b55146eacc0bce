"""Functions under `tf.function` that a model calls in a pass.

TensorFlow traces such a function once, and keeps what the function reads from
outside: the weights of that pass, or the variables themselves. In a later pass,
at other weights, the function would still see the old ones.
"""

import inspect

import keras
import tensorflow as tf

from keras_sam import _keras_internals


def check_read(variable, outside):
    """Raises ValueError if a function of the model reads a variable.

    Args:
        variable: Keras variable that the model reads now.
        outside: Graph of the pass. Conditionals and loops have graphs within
            it, and so have functions.
    """
    graph = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not outside:
        # Graphs of conditionals and loops have classes of their own.
        if type(graph).__name__ == "FuncGraph" and not _is_traced_anew(graph):
            raise _error(
                f"the function {graph.name!r}, which reads {variable.path}"
            )
        graph = getattr(graph, "outer_graph", None)


def check_none(model, names):
    """Raises ValueError if a method of the model is under `tf.function`.

    Args:
        model: `keras.Model` that has read `tf.Variable`s past the scope.
        names: List of strings, the names of these.
    """
    found = sorted(set(_compiled_methods(model)))
    if found:
        raise _error(f"one of {found}, which reads {names}")


def _error(received):
    return ValueError(
        "`model` must not read its weights in a function under `tf.function`: "
        "the function would keep the weights of an earlier pass. Remove "
        "`tf.function`, since `fit` compiles the whole train step, or pass the "
        f"weights to the function as arguments. Received: {received}"
    )


def _is_traced_anew(graph):
    """Whether the graph is one that `tf.vectorized_map` makes in each call."""
    frames = inspect.stack(context=0) if graph.name == "f" else []
    return any(
        ".parallel_for." in frame.frame.f_globals.get("__name__", "")
        for frame in frames
    )


def _compiled_methods(model):
    """Yields the names of all attributes of layers that `tf.function` made."""
    for layer in _keras_internals.layers(model):
        if isinstance(layer, keras.layers.TFSMLayer):
            continue  # It has no other way to read its variables.
        for owner in (layer, *type(layer).__mro__):
            for name, value in vars(owner).items():
                if isinstance(value, tf.types.experimental.PolymorphicFunction):
                    yield f"{type(layer).__name__}.{name}"
