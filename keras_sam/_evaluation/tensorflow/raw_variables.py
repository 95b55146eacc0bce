"""The `tf.Variable`s that a model uses besides its Keras variables.

Keras trains Keras variables only, and so does a train step here. A
`tf.Variable` that belongs to a Keras variable, as in a SavedModel, cannot be
replaced by a tensor, so a step cannot move it.
"""

import warnings

import tensorflow as tf

from keras_sam._evaluation.tensorflow import nested_functions


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


def check(raw, grads, trained, model):
    """Checks the `tf.Variable`s that a model uses.

    It warns of those that the loss depends on, but nobody trains.

    Args:
        raw: List of `tf.Variable`s.
        grads: List of their gradients. None: the loss does not depend on it.
        trained: List of the Keras variables that a step trains.
        model: `keras.Model`.

    Raises:
        ValueError: If one belongs to a trained Keras variable.
    """
    free = others(raw, trained)
    owned = [v for v in raw if not _in(v, free)]
    if owned:
        nested_functions.check_none(model, [v.name for v in owned])
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


def _in(value, values):
    return any(value is other for other in values)


def _parts(variable):
    """Returns the `tf.Variable`s of a Keras variable, one for each replica."""
    strategy = tf.distribute.get_strategy()
    return (
        variable.value,
        *strategy.experimental_local_results(variable.value),
    )
