"""Batches of the examples as `tf.data`.

Order and augmentation are a pure function of (seed, epoch, example). So a run
that resumes at epoch k sees exactly the batches of epoch k.
"""

import tensorflow as tf

from examples import arrays as in_memory


def train_batches(arrays, batch_size, seed, epochs, augment):
    """Returns a `tf.data.Dataset` of what data.py describes."""
    images, labels = map(tf.constant, arrays.train)
    size = len(labels)
    shift, mirror = augment
    standardize = in_memory.standardizer(arrays)

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
        return standardize(tf.cast(x, tf.float32)), y

    numbers = tf.data.Dataset.range(epochs.start, epochs.stop)
    return (
        numbers.flat_map(epoch_batches)
        .map(batch, num_parallel_calls=tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(_options())
    )


def ordered_batches(arrays, images, labels, batch_size):
    """Returns a `tf.data.Dataset` of some examples, in order."""
    x = in_memory.standardizer(arrays)(tf.cast(images, tf.float32))
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


def _shifted(images, offsets, shift):
    """Pads with black and crops each image at its own offset."""
    height, width = images.shape[1:3]
    pad = [shift, shift]
    images = tf.pad(images, [[0, 0], pad, pad, [0, 0]])
    rows = offsets[:, :1] + tf.range(height)
    columns = offsets[:, 1:] + tf.range(width)
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)
