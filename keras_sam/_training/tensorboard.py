"""The graph of the inner model, for TensorBoard."""

import keras
from keras import tree


def write_graph(model, callbacks):
    """Writes the graph of a model into the logs of `TensorBoard` callbacks.

    Keras writes the graph of a model only if its class is `Functional` or
    `Sequential`. A wrapper has another class. The graph gets a file of its own,
    which TensorBoard shows with the others.

    Args:
        model: The inner model.
        callbacks: The argument `callbacks` of `fit`.
    """
    if type(model).__name__ not in ("Functional", "Sequential"):
        return
    for callback in tree.flatten(callbacks):
        if (
            isinstance(callback, keras.callbacks.TensorBoard)
            and callback.write_graph
        ):
            keras.callbacks.TensorBoard(callback.log_dir).set_model(model)
