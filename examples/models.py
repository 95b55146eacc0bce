"""The networks of the examples, chosen by name.

`mlp`, `mlp-deep`, `cnn` and, for signals, `cnn-1d` and `cnn-1d-wide` are small
and train on a CPU.
`resnet-18` is the CIFAR form of arXiv:1512.03385 (3x3 stem, no pooling).
`wrn-D-K` is the pre-activation wide residual network of depth D and width K,
arXiv:1605.07146.
"""

import functools
import re

import keras
from keras import layers

_WRN = re.compile(r"wrn-(\d+)-(\d+)")


def mlp(x, units=(256, 256)):
    """Hidden layers of so many units."""
    x = layers.Flatten()(x)
    for number in units:
        x = layers.Dense(
            number, activation="relu", kernel_initializer="he_normal"
        )(x)
    return x


def cnn(x):
    """Four 3x3 convolutions; resolution halves once, after the second."""
    for filters, strides in ((16, 1), (16, 1), (32, 2), (32, 1)):
        x = _norm_relu(_conv(x, filters, 3, strides))
    return layers.GlobalAveragePooling2D()(x)


def cnn1d(x, width=1):
    """Three convolutions of 5 values, each of which halves the length."""
    for filters in (16 * width, 32 * width, 32 * width):
        x = layers.Conv1D(
            filters,
            5,
            2,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)
        x = _norm_relu(x)
    return layers.Flatten()(x)


def resnet18(x):
    """Four stages of two basic blocks, 64 to 512 filters."""
    x = _norm_relu(_conv(x, 64))
    for filters in (64, 128, 256, 512):
        for block in range(2):
            strides = 2 if block == 0 and filters > 64 else 1
            x = _basic_block(x, filters, strides)
    return layers.GlobalAveragePooling2D()(x)


def wide_resnet(x, depth, width):
    """Three stages of (depth - 4) / 6 pre-activation blocks."""
    x = _conv(x, 16)
    for stage, filters in enumerate((16 * width, 32 * width, 64 * width)):
        for block in range((depth - 4) // 6):
            strides = 2 if block == 0 and stage > 0 else 1
            x = _preactivation_block(x, filters, strides)
    return layers.GlobalAveragePooling2D()(_norm_relu(x))


MODELS = {
    "mlp": mlp,
    "mlp-deep": functools.partial(mlp, units=(128,) * 4),
    "cnn": cnn,
    "cnn-1d": cnn1d,
    "cnn-1d-wide": functools.partial(cnn1d, width=2),
    "resnet-18": resnet18,
}


def is_known(name):
    """Whether `build` accepts the name."""
    wrn = _WRN.fullmatch(name)
    if wrn:
        depth, width = map(int, wrn.groups())
        return depth >= 10 and (depth - 4) % 6 == 0 and width >= 1
    return name in MODELS


def build(name, input_shape, num_classes, dropout=0.0):
    """Returns the named network, ending in logits.

    Args:
        name: A key of `MODELS`, or `wrn-D-K` with D = 6n + 4.
        input_shape: (height, width, channels), or (length, channels).
        num_classes: Number of logits.
        dropout: Rate of dropout before the last layer.
    """
    if not is_known(name):
        raise ValueError(
            f"`name` must be one of {[*MODELS, 'wrn-D-K']} with D = 6n + 4 and "
            f"K >= 1. Received: {name!r}"
        )
    inputs = keras.Input(input_shape)
    if name in MODELS:
        x = MODELS[name](inputs)
    else:
        depth, width = map(int, _WRN.fullmatch(name).groups())
        x = wide_resnet(inputs, depth, width)
    if dropout:
        x = layers.Dropout(dropout)(x)
    # float32 whatever the policy: a softmax in half precision loses the loss.
    logits = layers.Dense(
        num_classes,
        kernel_initializer="he_normal",
        dtype="float32",
        name="logits",
    )(x)
    return keras.Model(inputs, logits, name=re.sub(r"\W", "_", name))


def _conv(x, filters, size=3, strides=1):
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)


def _norm(x):
    # Keras's own momentum, 0.99, is too slow for runs of a few hundred steps.
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _norm_relu(x):
    return layers.ReLU()(_norm(x))


def _basic_block(x, filters, strides):
    y = _norm_relu(_conv(x, filters, 3, strides))
    y = _norm(_conv(y, filters))
    if strides > 1 or x.shape[-1] != filters:
        x = _norm(_conv(x, filters, 1, strides))
    return layers.ReLU()(layers.Add()([x, y]))


def _preactivation_block(x, filters, strides):
    y = _norm_relu(x)
    if strides > 1 or x.shape[-1] != filters:
        x = _conv(y, filters, 1, strides)
    y = _norm_relu(_conv(y, filters, 3, strides))
    return layers.Add()([x, _conv(y, filters)])
