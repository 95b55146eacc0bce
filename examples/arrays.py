"""A data set in memory, and the data sets that need no network, as arrays."""

import dataclasses

import numpy as np
from mnist1d import data
from sklearn import datasets


@dataclasses.dataclass(frozen=True)
class Arrays:
    """A data set in memory: images, most of them uint8, and integer labels."""

    train: tuple
    test: tuple
    num_classes: int


def digits_by_index():
    """Returns the digits in their order, and the indices of each split.

    Returns:
        Images, labels, and {"train": indices, "test": indices}: see digits.py.
    """
    images, labels = datasets.load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype(np.uint8)
    by_class = np.argsort(labels, kind="stable")
    is_test = np.arange(len(labels)) % 5 == 0
    indices = {"train": by_class[~is_test], "test": by_class[is_test]}
    return images, labels, indices


def digits():
    """Returns the `Arrays` of scikit-learn's digits."""
    images, labels, indices = digits_by_index()
    train, test = (
        (images[indices[split]], labels[indices[split]])
        for split in ("train", "test")
    )
    return Arrays(train, test, num_classes=10)


def mnist1d():
    """Returns the `Arrays` of MNIST-1D, made by the package `mnist1d`."""
    # The package seeds NumPy's global generator and draws from it.
    state = np.random.get_state()
    made = data.make_dataset()
    np.random.set_state(state)
    train, test = (
        (made[x][..., None].astype(np.float32), made[y])
        for x, y in (("x", "y"), ("x_test", "y_test"))
    )
    return Arrays(train, test, num_classes=10)


# By name, as functions.
MADE_HERE = {"digits": digits, "mnist1d": mnist1d}


def standardizer(arrays):
    """Returns a function to mean 0 and variance 1 of the training images.

    Mean and variance are of each channel over all training images.
    """
    images = arrays.train[0]
    axes = tuple(range(images.ndim - 1))
    mean = images.mean(axes, dtype=np.float64).astype(np.float32)
    std = images.std(axes, dtype=np.float64).astype(np.float32)
    return lambda x: (x - mean) / std
