"""The `tf.Variable`s that a model uses besides its Keras variables.

Keras trains Keras variables only, and so does a train step here. A
`tf.Variable` that belongs to a Keras variable, as in a SavedModel, cannot be
replaced by a tensor, so a step cannot move it.
"""

import warnings

import tensorflow as tf

from keras_sam import _keras_internals


def others(watched, known):
    """Returns the `tf.Variable`s in a list that belong to no known variable.

    Args:
        watched: List of `tf.Variable`s.
        known: List of Keras variables.
    """
    if not watched:
        return []
    belonging = {id(part) for variable in known for part in _parts(variable)}
    return [variable for variable in watched if id(variable) not in belonging]


def check_trained(raw, grads, trained):
    """Checks the `tf.Variable`s that a loss depends on.

    It warns of those that nobody trains.

    Args:
        raw: List of `tf.Variable`s.
        grads: List of their gradients. None: the loss does not depend on it.
        trained: List of the Keras variables that a step trains.

    Raises:
        ValueError: If one belongs to a trained Keras variable.
    """
    reached = [v for v, g in zip(raw, grads, strict=True) if g is not None]
    untrained = others(reached, trained)
    if len(untrained) < len(reached):
        names = [v.name for v in reached if not _in(v, untrained)]
        raise ValueError(
            "`model` must read its trainable weights from Keras variables. A "
            "SavedModel or a compiled function reads `tf.Variable`s instead, "
            "so a climb cannot move them. Freeze its layer (for example "
            "`TFSMLayer(path, trainable=False)`), or build the layers with "
            f"Keras and load their weights. Received the trainable {names}"
        )
    if untrained:
        warnings.warn(
            "The loss depends on `tf.Variable`s of `model` that Keras does not "
            "train: use `add_weight` to train them, or `trainable=False`. "
            f"Received: {[v.name for v in untrained]}",
            stacklevel=2,
        )


def check_assigned(model, graph):
    """Checks that the graph of a pass assigns no `tf.Variable`.

    Each pass of a climb would assign it. (Keras variables are not assigned in a
    pass: their new values are among its results.)

    Args:
        model: `keras.Model`.
        graph: The graph.

    Raises:
        ValueError: If it assigns one.
    """
    assigned = {
        operation.inputs[0].name
        for operation in graph.get_operations()
        if operation.type.startswith(("Assign", "ResourceScatter"))
    }
    if not assigned:
        return
    handles = [
        outer for outer, inner in graph.captures if inner.name in assigned
    ]
    names = [
        f"{layer.name}.{name}"
        for layer in _keras_internals.layers(model)
        for name, value in _keras_internals.attributes(layer)
        if isinstance(value, tf.Variable) and _in(value.handle, handles)
    ]
    raise ValueError(
        "A layer of `model` must not assign a `tf.Variable`: each pass of a "
        "climb would assign it. Make it with `add_weight(trainable=False)`, so "
        f"that the clean pass alone assigns it. Received: {names or assigned}"
    )


def _in(value, values):
    return any(value is other for other in values)


def _parts(variable):
    """Returns the `tf.Variable`s of a Keras variable, one for each replica."""
    strategy = tf.distribute.get_strategy()
    return (
        variable.value,
        *strategy.experimental_local_results(variable.value),
    )
