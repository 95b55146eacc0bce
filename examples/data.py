"""Data for the examples: TFDS into memory, then tf.data.

Every random choice is a pure function of its seed: label noise depends on
(seed, example), order and augmentation on (seed, epoch, example). So a run that
resumes at epoch k sees exactly the batches of epoch k.
"""

import dataclasses
import functools

import numpy as np
import requests
import tensorflow as tf
import tensorflow_datasets as tfds

# These register data sets with TFDS that need no network.
from examples import digits as _digits  # noqa: F401
from examples import mnist1d as _mnist1d  # noqa: F401

# Largest shift in pixels, and whether to mirror: what keeps a label true.
AUGMENTATIONS = {
    "cifar10": (4, True),
    "cifar100": (4, True),
    "svhn_cropped": (4, False),
    "mnist": (2, False),
    "fashion_mnist": (2, False),
    "digits": (1, False),
}
_AUGMENTED_BY_DEFAULT = ("cifar10", "cifar100")


@dataclasses.dataclass(frozen=True)
class Arrays:
    """A data set in memory: images, most of them uint8, and integer labels."""

    train: tuple
    test: tuple
    num_classes: int


@functools.lru_cache(maxsize=1)  # For many runs in one process.
def load(name, data_dir=None):
    """Reads, and where needed downloads, an image classification data set.

    Args:
        name: Any TFDS name with an image, a label and the splits `train` and
            `test`; all images of one size.
        data_dir: Where TFDS keeps its data; None is its own default.

    Returns:
        `Arrays`.
    """
    info = _prepared(name, data_dir).info
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
    train, test = tfds.as_numpy(
        tfds.load(
            name,
            split=["train", "test"],
            data_dir=data_dir,
            batch_size=-1,
            as_supervised=True,
            download=False,
        )
    )
    return Arrays(train, test, info.features["label"].num_classes)


def _prepared(name, data_dir):
    """Returns the TFDS builder once its data lies on disk."""
    builder = tfds.builder(name, data_dir=data_dir)
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
    return tfds.builder(name, data_dir=data_dir)


def with_label_noise(labels, rate, num_classes, seed):
    """Symmetric label noise: replaces a fraction of labels by wrong ones.

    Exactly `round(rate * len(labels))` labels change, each to one of the
    *other* classes, all equally likely. (Where the literature draws from all
    classes, a rate r there is r * (1 - 1 / num_classes) here.)

    Args:
        labels: Integer array; left as it is.
        rate: Fraction in [0, 1].
        num_classes: Number of classes.
        seed: Same seed, same labels.

    Returns:
        A new array.
    """
    # RandomState, not default_rng: its stream is frozen across NumPy versions.
    random = np.random.RandomState(seed)
    chosen = random.permutation(len(labels))[: round(rate * len(labels))]
    noisy = labels.copy()
    shift = random.randint(1, num_classes, len(chosen))
    noisy[chosen] = (labels[chosen] + shift) % num_classes
    return noisy


def augmentation(name, choice):
    """Returns (largest shift, mirror?) of `--augment` for a data set."""
    if choice == "false" or (
        choice == "auto" and name not in _AUGMENTED_BY_DEFAULT
    ):
        return 0, False
    if name not in AUGMENTATIONS:
        raise ValueError(
            f"--augment=true is known for {sorted(AUGMENTATIONS)}. "
            f"Received: --dataset={name}"
        )
    return AUGMENTATIONS[name]


def train_batches(arrays, batch_size, seed, epochs, augment=(0, False)):
    """Training batches of the given epochs, one epoch after the other.

    Each epoch is a fresh order of all examples; its last, incomplete batch is
    left out, so that all batches have one size.

    Args:
        arrays: `Arrays`.
        batch_size: Images in a batch.
        seed: Seed of order and augmentation.
        epochs: `range` of epoch numbers.
        augment: (largest shift, mirror?).

    Returns:
        A `tf.data.Dataset` of (standardized images, one-hot labels).
    """
    images, labels = map(tf.constant, arrays.train)
    size = len(labels)
    shift, mirror = augment
    standardize = _standardizer(arrays)

    def epoch_batches(epoch):
        key = tf.stack([tf.constant(seed, tf.int64), epoch])
        order, crop, flip = tf.unstack(tf.random.split(key, 3))
        order = tf.random.experimental.stateless_shuffle(tf.range(size), order)
        # Drawn for every example, then reordered: the draws of an example do
        # not depend on the batch it falls into.
        crop = tf.random.stateless_uniform(
            [size, 2], crop, 0, 2 * shift + 1, tf.int32
        )
        flip = tf.random.stateless_uniform([size], flip) < 0.5
        draws = (order, tf.gather(crop, order), tf.gather(flip, order))
        draws = tf.data.Dataset.from_tensor_slices(draws)
        return draws.batch(batch_size, drop_remainder=True)

    def batch(indices, crop, flip):
        x = tf.gather(images, indices)
        if shift:
            x = _shifted(x, crop, shift)
        if mirror:
            x = tf.where(flip[:, None, None, None], x[:, :, ::-1], x)
        y = tf.one_hot(tf.gather(labels, indices), arrays.num_classes)
        return standardize(x), y

    numbers = tf.data.Dataset.range(epochs.start, epochs.stop)
    return (
        numbers.flat_map(epoch_batches)
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(_options())
    )


def test_batches(arrays, batch_size):
    """All test examples in order, as (standardized images, one-hot labels)."""
    return ordered_batches(arrays, "test", None, batch_size)


def ordered_batches(arrays, split, number, batch_size):
    """The first examples of a split, all if `number` is None, in order."""
    images, labels = (part[:number] for part in getattr(arrays, split))
    x = _standardizer(arrays)(images)
    y = tf.one_hot(labels, arrays.num_classes)
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch_size)
    return batches.with_options(_options())


def _options():
    """Workers divide each batch: all data is in the memory of each."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return options


def _standardizer(arrays):
    """Zero mean and unit variance of each channel over the training images."""
    images = arrays.train[0]
    axes = tuple(range(images.ndim - 1))
    mean = images.mean(axes, dtype=np.float64).astype(np.float32)
    std = images.std(axes, dtype=np.float64).astype(np.float32)
    return lambda x: (tf.cast(x, tf.float32) - mean) / std


def _shifted(images, offsets, shift):
    """Pads with black and crops each image at its own offset."""
    height, width = images.shape[1:3]
    pad = [shift, shift]
    images = tf.pad(images, [[0, 0], pad, pad, [0, 0]])
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
