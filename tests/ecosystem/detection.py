"""An object detector: RetinaNet, on random images with two boxes each."""

import keras_hub
import numpy as np

from tests.ecosystem import hub

SIDE = 64
CLASSES = 3
FORMAT = "xyxy"


def retinanet():
    backbone = keras_hub.models.RetinaNetBackbone(
        hub.resnet(4, SIDE),
        min_level=3,
        max_level=5,
        use_p5=False,
        image_shape=(SIDE, SIDE, 3),
    )
    preprocessor = keras_hub.models.RetinaNetObjectDetectorPreprocessor(
        keras_hub.layers.RetinaNetImageConverter(
            image_size=(SIDE, SIDE), scale=1 / 255, bounding_box_format=FORMAT
        )
    )
    return keras_hub.models.RetinaNetObjectDetector(
        backbone,
        CLASSES,
        bounding_box_format=FORMAT,
        pre_logits_num_conv_layers=1,
        preprocessor=preprocessor,
    )


def data(examples):
    """Returns (raw images, {"boxes": corners, "labels": classes})."""
    random = np.random.RandomState(0)
    x = random.randint(0, 256, (examples, SIDE, SIDE, 3)).astype("uint8")
    low = random.uniform(0, SIDE / 2, (examples, 2, 2))
    high = low + random.uniform(SIDE / 4, SIDE / 2, (examples, 2, 2))
    boxes = np.concatenate([low, high], axis=-1).astype("float32")
    labels = random.randint(0, CLASSES, (examples, 2)).astype("float32")
    return x, {"boxes": boxes, "labels": labels}


SUBJECTS = [
    hub.Task(
        "RetinaNet object detector",
        "keras-hub",
        retinanet,
        data(8),
        rate=1e-4,
        remark="trained by the model's own `compute_loss` and `predict_step`",
    )
]
