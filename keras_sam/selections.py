"""Which variables move in a climb, by the layers that they belong to.

The argument `perturb` is None for all variables, a regular expression on their
paths, or a function of a variable. The function may also ask for the layer, the
innermost one that has the variable:

    def dense(variable, layer):
        return isinstance(layer, keras.layers.Dense)

    sam = keras_sam.SAM(model, perturb=dense)

- what a layer is: `Normalization`
"""

import dataclasses

import keras

from keras_sam import parts
from keras_sam._registration import exported

__all__ = ["Normalization"]

_NAMES = ("Norm", "Normalization")


@exported
@dataclasses.dataclass(frozen=True)
class Normalization(parts.Part):
    """The scales and offsets of all normalization layers.

    A normalization layer is one whose class, or a base of its class, has a name
    that ends in "Norm" or "Normalization". That is true for those of Keras and
    KerasHub. Names of layers and variables, which users choose, do not matter.

    Reference: SAM-ON, arXiv:2306.04226.
    """

    def __call__(self, variable: keras.Variable, layer: keras.Layer) -> bool:
        del variable
        return any(
            kind.__name__.endswith(_NAMES) for kind in type(layer).__mro__
        )
