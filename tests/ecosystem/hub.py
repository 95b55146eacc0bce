"""What the models of KerasHub here share."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from sklearn import datasets

from tests.ecosystem import subject


class Task(subject.Subject):
    """A KerasHub task, which prepares raw data before it trains on them."""

    def batches(self, model):
        data = [part for part in self.data if part is not None]
        dataset = tf.data.Dataset.from_tensor_slices(tuple(data))
        # Outside of a dataset KerasHub resizes images with other roundings.
        dataset = dataset.batch(self.batch_size).map(model.preprocess_samples)
        return [keras.utils.unpack_x_y_sample_weight(b) for b in dataset]


def resnet(stages, side):
    """Returns a residual network with one block a stage."""
    return keras_hub.models.ResNetBackbone(
        # KerasHub asks for 64 filters in the first stage.
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64] * stages,
        stackwise_num_blocks=[1] * stages,
        stackwise_num_strides=[1] + [2] * (stages - 1),
        block_type="basic_block",
        image_shape=(side, side, 3),
    )


def digits(examples):
    """Returns (raw images of 8 x 8 in three colours, labels)."""
    found = datasets.load_digits()
    grey = found.images[:examples, ..., None] * 255 / 16
    images = np.repeat(grey, 3, axis=-1).astype("uint8")
    return images, found.target[:examples]
