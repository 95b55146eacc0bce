"""Layers that a wrapper holds beside the inner model."""

import keras


class Held(keras.Layer):
    """A layer without inputs, for what a wrapper holds and saves.

    Keras locks a layer when it is built, and this layer never is: it may get
    variables at any time.

    Args:
        name: String, the name of the layer.
    """

    def __init__(self, name):
        super().__init__(name=name)
        self.built = True

    def quantize(self, mode=None, config=None, **kwargs):
        """Leaves the layer as it is."""
