"""Image classifiers: a ViT and a ResNet, on scikit-learn's digits."""

import keras_hub

from tests.ecosystem import hub

SIDE = 16


def vit():
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIDE, SIDE, 3),
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        dropout_rate=0.1,
        attention_dropout=0.1,
    )
    preprocessor = keras_hub.models.ViTImageClassifierPreprocessor(
        keras_hub.layers.ViTImageConverter((SIDE, SIDE), scale=1 / 255)
    )
    return keras_hub.models.ViTImageClassifier(
        backbone, 10, preprocessor=preprocessor
    )


def resnet():
    preprocessor = keras_hub.models.ResNetImageClassifierPreprocessor(
        keras_hub.layers.ResNetImageConverter((SIDE, SIDE), scale=1 / 255)
    )
    return keras_hub.models.ResNetImageClassifier(
        hub.resnet(2, SIDE), 10, preprocessor=preprocessor
    )


SUBJECTS = [
    hub.Task(
        name,
        "keras-hub",
        make,
        hub.digits(18),
        remark="raw images of 8 x 8",
    )
    for name, make in (
        ("ViT image classifier", vit),
        ("ResNet image classifier", resnet),
    )
]
