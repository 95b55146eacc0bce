"""A radius that users set during training, as a weight of a layer."""

import keras

from keras_sam import radii
from keras_sam._training import held

_NAME = "rho"


class RadiusWeight(held.Held):
    """Holds the present radius in a non-trainable float32 weight.

    A compiled train step reads the weight, so a new value counts from the next
    step on, and nothing is traced again.

    Args:
        first: `radii.Settable`.
    """

    def __init__(self, first):
        super().__init__("radius")
        # tf.train.Checkpoint looks for weights in attributes only.
        self.weight = self.add_weight(
            shape=(),
            dtype="float32",
            initializer=keras.initializers.Constant(first.value),
            trainable=False,
            autocast=False,
            name=_NAME,
        )

    def __float__(self):
        return float(keras.ops.convert_to_numpy(self.weight))

    def assign(self, value):
        """Sets the radius.

        Raises:
            TypeError: If it is no number.
            ValueError: If it is negative or not finite.
        """
        self.weight.assign(radii.Settable(value).value)

    def save_own_variables(self, store):
        """Saves the present radius."""
        store[_NAME] = self.weight

    def load_own_variables(self, store):
        """Loads the radius, unless the file is of a wrapper with a fixed one.

        Such a file has none, and the radius stays as it is.
        """
        if _NAME in store.keys():
            self.weight.assign(store[_NAME])
