"""Data for the examples: in memory, then in batches.

Every random choice is a pure function of its seed: label noise depends on
(seed, example), order and augmentation on (seed, epoch, example). So a run that
resumes at epoch k sees exactly the batches of epoch k. The draws of the batches
differ between TensorFlow and JAX.
"""

import functools

import numpy as np

from examples import engine
from examples.arrays import Arrays as Arrays

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


@functools.lru_cache(maxsize=1)  # For many runs in one process.
def load(name, data_dir=None):
    """Reads, and where needed downloads, an image classification data set.

    Args:
        name: Any TFDS name with an image, a label and the splits `train` and
            `test`; all images of one size. On JAX "digits" and "mnist1d" are
            made without TFDS.
        data_dir: Where TFDS keeps its data; None is its own default.

    Returns:
        `Arrays`.
    """
    return engine.reading.load(name, data_dir)


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
        What `fit` takes, of (standardized images, one-hot labels).
    """
    return engine.batches.train_batches(
        arrays, batch_size, seed, epochs, augment
    )


def test_batches(arrays, batch_size):
    """All test examples in order, as (standardized images, one-hot labels)."""
    return ordered_batches(arrays, "test", None, batch_size)


def ordered_batches(arrays, split, number, batch_size):
    """The first examples of a split, all if `number` is None, in order."""
    images, labels = (part[:number] for part in getattr(arrays, split))
    return engine.batches.ordered_batches(arrays, images, labels, batch_size)
