"""Batches of the examples as NumPy arrays.

Order and augmentation are a pure function of (seed, epoch, example). So a run
that resumes at epoch k sees exactly the batches of epoch k.
"""

import jax
import keras
import numpy as np

from examples import arrays as in_memory
from examples.jax import strategies


def train_batches(arrays, batch_size, seed, epochs, augment):
    """Yields what data.py describes, on each process the part that is its own.

    Raises:
        ValueError: If the devices cannot share a batch evenly.
    """
    _check_shared("--batch_size", batch_size)
    return _epochs(arrays, batch_size, seed, epochs, augment)


def _epochs(arrays, batch_size, seed, epochs, augment):
    images, labels = arrays.train
    standardize = in_memory.standardizer(arrays)
    own = _own(batch_size)
    for epoch in epochs:
        # RandomState, not default_rng: its stream is frozen across versions.
        random = np.random.RandomState([seed, epoch])
        order = random.permutation(len(labels))
        # Drawn for every example: the draws of an example do not depend on the
        # batch it falls into.
        draws = _draws(random, len(labels), augment)
        for start in range(0, len(labels) - batch_size + 1, batch_size):
            indices = order[start : start + batch_size][own]
            x = _augmented(images[indices], indices, draws)
            yield (
                standardize(x.astype(np.float32)),
                _one_hot(labels[indices], arrays.num_classes),
            )


def ordered_batches(arrays, images, labels, batch_size):
    """Returns a `keras.utils.PyDataset` of some examples, in order.

    Raises:
        ValueError: If the devices cannot share a batch evenly.
    """
    _check_shared("--batch_size", batch_size)
    _check_shared(
        f"The last of the batches of {len(labels)} test examples",
        len(labels) % batch_size,
    )
    x = in_memory.standardizer(arrays)(images.astype(np.float32))
    return _Ordered(x, _one_hot(labels, arrays.num_classes), batch_size)


class _Ordered(keras.utils.PyDataset):
    """Rows of two arrays, on each process the part that is its own."""

    def __init__(self, x, y, batch_size):
        super().__init__()
        self._x, self._y, self._size = x, y, batch_size

    def __len__(self):
        return -(-len(self._y) // self._size)

    def __getitem__(self, index):
        start = index * self._size
        end = min(start + self._size, len(self._y))
        own = _own(end - start)
        return self._x[start:end][own], self._y[start:end][own]


def _own(size):
    """Returns the slice of a batch that this process gets."""
    each = size // jax.process_count()
    first = each * jax.process_index()
    return slice(first, first + each)


def _check_shared(name, size):
    devices = strategies.replicas()
    if size % devices:
        raise ValueError(
            f"{name} must be a multiple of {devices}: so many devices share "
            f"each batch evenly on JAX. Received: {size}"
        )


def _one_hot(labels, classes):
    return np.eye(classes, dtype=np.float32)[labels]


def _draws(random, size, augment):
    """Returns the offsets of all examples, the most, and whom to mirror."""
    shift, mirror = augment
    offsets = random.randint(0, 2 * shift + 1, (size, 2))
    flip = (random.uniform(size=size) < 0.5) & mirror
    return offsets, shift, flip


def _augmented(images, indices, draws):
    offsets, shift, flip = draws
    if shift:
        images = _shifted(images, offsets[indices], shift)
    flip = flip[indices]
    images[flip] = images[flip][:, :, ::-1]
    return images


def _shifted(images, offsets, shift):
    """Pads with black and crops each image at its own offset."""
    size, height, width = images.shape[:3]
    pad = [shift, shift]
    images = np.pad(images, [[0, 0], pad, pad, [0, 0]])
    rows = offsets[:, :1] + np.arange(height)
    columns = offsets[:, 1:] + np.arange(width)
    example = np.arange(size)[:, None, None]
    return images[example, rows[:, :, None], columns[:, None, :]]
