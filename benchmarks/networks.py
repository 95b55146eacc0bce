"""The networks that are measured, each with its batch.

Networks for images come from `examples/models.py`. Keras 2 has everything that
is used here, and `peers/tf_keras.py` runs the same code there.
"""

import dataclasses
import functools

import keras
import numpy as np
from keras import layers

from examples import models

CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, and the size of what it is measured on.

    Attributes:
        build: Function that returns a new `keras.Model`, which ends in logits
            of 10 classes.
        batch_size: Number of examples.
        shape: Shape of an example.
        tokens: None for images of normal random numbers; else the examples are
            integers below this one.
    """

    build: functools.partial
    batch_size: int
    shape: tuple
    tokens: int | None = None

    def batch(self):
        """Returns (x, y), NumPy arrays, always the same."""
        random = np.random.RandomState(0)
        shape = (self.batch_size, *self.shape)
        if self.tokens:
            x = random.randint(0, self.tokens, shape).astype("int32")
        else:
            x = random.normal(size=shape).astype("float32")
        return x, np.arange(self.batch_size, dtype="int32") % CLASSES


def transformer(length=64, tokens=1000, width=128, heads=4, blocks=2):
    """An encoder: attention and two dense layers a block, each normed before.

    Their outputs are averaged over the sequence.
    """
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Embedding(tokens, width)(inputs)
    for _ in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.MultiHeadAttention(heads, width // heads)(y, y)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.Dense(2 * width, activation="relu")(y)
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.LayerNormalization(epsilon=1e-5)(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(CLASSES, dtype="float32")(x))


class Positions(layers.Layer):
    """Adds a trained vector to each place of a sequence."""

    def build(self, shape):
        self.vectors = self.add_weight(
            name="vectors",
            shape=shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, x):
        return x + self.vectors


def vit(size=224, patch=16, width=384, heads=6, blocks=12):
    """A vision transformer, arXiv:2010.11929; by default ViT-S/16.

    Its outputs are averaged over the patches, as in arXiv:2205.01580, so there
    is no class token.
    """
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(width, patch, patch)(inputs)
    x = layers.Reshape(((size // patch) ** 2, width))(x)
    x = Positions()(x)
    for _ in range(blocks):
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.MultiHeadAttention(heads, width // heads)(y, y)
        x = layers.Add()([x, y])
        y = layers.LayerNormalization(epsilon=1e-5)(x)
        y = layers.Dense(4 * width, activation="gelu")(y)
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.LayerNormalization(epsilon=1e-5)(x)
    x = layers.GlobalAveragePooling1D()(x)
    # float32 whatever the policy: a softmax in half precision loses the loss.
    return keras.Model(inputs, layers.Dense(CLASSES, dtype="float32")(x))


def embedding(length=16, tokens=200_000, width=64):
    """The mean of a few of 200,000 vectors, and two dense layers."""
    inputs = keras.Input((length,), dtype="int32")
    x = layers.Embedding(tokens, width)(inputs)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.Dense(width, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(x))


def _of_examples(name, batch_size, shape):
    build = functools.partial(models.build, name, shape, CLASSES)
    return Network(build, batch_size, shape)


NETWORKS = {
    "mlp": _of_examples("mlp", 128, (28, 28, 1)),
    "cnn": _of_examples("cnn", 64, (32, 32, 3)),
    "resnet-18": _of_examples("resnet-18", 32, (32, 32, 3)),
    "wrn-16-4": _of_examples("wrn-16-4", 32, (32, 32, 3)),
    "transformer": Network(functools.partial(transformer), 32, (64,), 1000),
    "embedding": Network(functools.partial(embedding), 256, (16,), 200_000),
}
# For compilers and GPUs: a CPU takes minutes for a step.
LARGE = {
    "wrn-28-10": _of_examples("wrn-28-10", 128, (32, 32, 3)),
    "vit-s-16": Network(functools.partial(vit), 128, (224, 224, 3)),
}
# Of the same kinds, to try on a CPU what is for GPUs.
SMALL = {
    "wrn-10-1": _of_examples("wrn-10-1", 4, (8, 8, 3)),
    "vit-tiny": Network(
        functools.partial(vit, 16, 8, 32, 2, 1), 4, (16, 16, 3)
    ),
}
ALL = NETWORKS | LARGE | SMALL
