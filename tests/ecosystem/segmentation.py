"""Image segmenters: DeepLabV3+ and SegFormer, on random images."""

import keras_hub
import numpy as np

from tests.ecosystem import hub

SIDE = 32
CLASSES = 2


def deeplab():
    backbone = keras_hub.models.DeepLabV3Backbone(
        hub.resnet(3, SIDE),
        spatial_pyramid_pooling_key="P4",
        low_level_feature_key="P2",
        upsampling_size=4,
        dilation_rates=[1, 2],
        projection_filters=8,
        image_shape=(SIDE, SIDE, 3),
    )
    preprocessor = keras_hub.models.DeepLabV3ImageSegmenterPreprocessor(
        keras_hub.layers.DeepLabV3ImageConverter(scale=1 / 255)
    )
    return keras_hub.models.DeepLabV3ImageSegmenter(
        backbone, CLASSES, preprocessor=preprocessor
    )


def segformer():
    encoder = keras_hub.models.MiTBackbone(
        image_shape=(SIDE, SIDE, 3),
        num_layers=2,
        layerwise_depths=[1, 1],
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        hidden_dims=[8, 16],
        max_drop_path_rate=0.1,
    )
    backbone = keras_hub.models.SegFormerBackbone(
        encoder, projection_filters=16
    )
    preprocessor = keras_hub.models.SegFormerImageSegmenterPreprocessor(
        keras_hub.layers.SegFormerImageConverter(scale=1 / 255)
    )
    return keras_hub.models.SegFormerImageSegmenter(
        backbone, CLASSES, preprocessor=preprocessor
    )


def data(examples):
    """Returns (raw images, one-hot classes of the pixels: is it bright?)."""
    random = np.random.RandomState(0)
    x = random.randint(0, 256, (examples, SIDE, SIDE, 3)).astype("uint8")
    bright = (x.mean(axis=-1) > 127).astype("int32")
    return x, np.eye(CLASSES, dtype="float32")[bright]


SUBJECTS = [
    hub.Task(
        "DeepLabV3+ segmenter",
        "keras-hub",
        deeplab,
        data(6),
        rate=0.05,
        dtype="float64",
        remark="in float64, as training enlarges the roundings of float32",
    ),
    hub.Task("SegFormer segmenter", "keras-hub", segformer, data(6), rate=0.05),
]
