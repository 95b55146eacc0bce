"""Data sets of TensorFlow Datasets (TFDS), brought onto the disk."""

import requests
import tensorflow_datasets as tfds


def prepared(name, data_dir, file_format=None):
    """Downloads a data set where needed, and checks that it is one of images.

    Args:
        name: Any TFDS name with an image, a label and the splits `train` and
            `test`; all images of one size.
        data_dir: Where TFDS keeps its data; None is its own default.
        file_format: As of `tfds.builder`.

    Returns:
        The TFDS builder, and the number of classes.
    """
    builder = _on_disk(name, data_dir, file_format)
    info = builder.info
    shape = info.features.shape.get("image") or (None,)
    if info.supervised_keys != ("image", "label") or None in shape:
        raise ValueError(
            "The examples need images of one size with one label each. "
            f"Received: {name!r}, with features {info.features}"
        )
    if not {"train", "test"} <= set(info.splits):
        raise ValueError(
            "The examples need the splits 'train' and 'test'. "
            f"Received: {name!r}, with {sorted(info.splits)}"
        )
    return builder, info.features["label"].num_classes


def _on_disk(name, data_dir, file_format):
    """Returns the TFDS builder once its data lies on disk."""
    asked = {"data_dir": data_dir, "file_format": file_format}
    builder = tfds.builder(name, **asked)
    if builder.is_prepared():
        return builder
    try:
        # TFDS retries a dead network for minutes; one quick look comes first.
        for url in list(builder.url_infos or ())[:1]:
            requests.head(url, timeout=10)
        builder.download_and_prepare()
    except requests.RequestException as error:
        raise ConnectionError(
            f"The data set {name!r} is not in {builder.data_path} and cannot "
            "be downloaded: no network, or its server does not answer. "
            "--dataset=digits and --dataset=mnist1d need no network."
        ) from error
    except OSError:
        # TFDS writes aside and renames: here another process was faster.
        if not builder.data_path.exists():
            raise
    return tfds.builder(name, **asked)
