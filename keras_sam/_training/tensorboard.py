"""The graph of the inner model, for TensorBoard."""

import keras
from keras import tree


def write_graph(model, callbacks):
    """Writes the graph of a model into the logs of `TensorBoard` callbacks.

    Keras writes the graph of a model only if its class is `Functional` or
    `Sequential`. A wrapper has another class.

    Args:
        model: The inner model.
        callbacks: The argument `callbacks` of `fit`.
    """
    for callback in tree.flatten(callbacks):
        if (
            isinstance(callback, keras.callbacks.TensorBoard)
            and callback.write_graph
        ):
            keras.callbacks.TensorBoard(callback.log_dir).set_model(model)
