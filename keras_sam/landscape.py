"""The loss of a model on a data set, as a function of its weights.

    landscape = keras_sam.landscape.Landscape(model, x, y)
    keras_sam.landscape.sharpness(landscape, rho=0.05)

Everything here leaves the model as it is.
"""

import functools

import keras
import tensorflow as tf
from keras import tree

from keras_sam import distribution
from keras_sam import functional
from keras_sam import vectors
from keras_sam.evaluator import Evaluator


class Landscape:
    """The mean loss over all examples, at any weights.

    It is the loss that `compile` was given, with regularizers and `add_loss`,
    in evaluation mode unless told otherwise: moving batch statistics, no
    dropout. Batches are weighted by the number of their examples, so that the
    last one may be smaller. Weights (`params`) are lists of tensors, one for
    each trained variable. Under a strategy, batches are divided among replicas.

    Args:
        model: `keras.Model`, compiled; a `SharpnessAwareMinimization` or any
            other one.
        x: Inputs, as `fit` takes them in arrays, or a `tf.data.Dataset` of
            batches, which must not be shuffled anew each time.
        y: Targets, if `x` is not a data set.
        sample_weight: Weights of the examples, likewise, or None.
        batch_size: Int, at least 1, if `x` is not a data set.
        training: Bool. True: batch statistics and dropout as in training, the
            mask the same at all weights; no statistics are kept.
        xla: As that of `SharpnessAwareMinimization`.

    Attributes:
        params: List of tensors, the weights at the time of construction.
        variables: List of the Keras variables that they are the values of.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If the model is not compiled, or there are no data, or they
            do not fit the model.
    """

    def __init__(
        self,
        model,
        x,
        y=None,
        sample_weight=None,
        *,
        batch_size=128,
        training=False,
        xla="auto",
    ):
        _check(model)
        self.model = model
        self._strategy = model.distribute_strategy or distribution.current()
        self._dataset = dataset(x, y, sample_weight, batch_size)
        with self._strategy.scope():
            functional.build(model, next(iter(self._dataset)))
            self._evaluator = Evaluator(
                model,
                self._strategy.num_replicas_in_sync,
                distribution.compiles(xla),
                training,
            )
        self.variables = self._evaluator.params
        self.params = functional.read(self.variables)
        self._function = tf.function(self._means, autograph=False)

    def batches(self):
        """Yields the landscape of each batch, a `Patch`."""
        data = self._dataset
        if self._strategy.num_replicas_in_sync > 1:
            data = self._strategy.experimental_distribute_dataset(data)
        for batch in data:
            yield Patch(functools.partial(self._function, batch))

    def loss(self, params):
        """Returns the mean loss, a float."""
        return float(self._mean(lambda patch: [patch.loss(params)])[0])

    def gradient(self, params):
        """Returns the gradient of the mean loss, a list of tensors."""
        return self._mean(lambda patch: patch.gradient(params))

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._mean(
            lambda patch: patch.hessian_vector_product(params, vector)
        )

    def _mean(self, measure):
        """Returns the mean of tensors over batches, weighted by size."""
        total, examples = None, 0
        for patch in self.batches():
            found = measure(patch)
            found = vectors.scale(float(patch.size), found)
            total = vectors.add(total, found) if total else found
            examples += patch.size
        return vectors.scale(1 / examples, total)

    def _means(self, batch, what, params, vector=()):
        """Returns a number of examples, and tensors that are their mean."""

        def measure(batch, params, vector):
            batch = functional.Batch(
                *keras.utils.unpack_x_y_sample_weight(batch)
            )
            state = functional.read(self._evaluator.state)
            if what == "product":
                found = self._evaluator.hessian_vector_product(
                    state, batch, params, vector
                )
            else:
                point = self._evaluator(
                    params, state, batch, gradient=what == "gradient"
                )
                found = [point.loss, *point.grads]
            size = tf.convert_to_tensor(batch.size)
            return size, vectors.scale(tf.cast(size, "float32"), found)

        size, sums = self._strategy.run(measure, (batch, params, vector))
        size, sums = tree.map_structure(
            lambda value: self._strategy.reduce("SUM", value, axis=None),
            (size, sums),
        )
        return size, vectors.scale(1 / tf.cast(size, "float32"), sums)


class Patch:
    """The landscape of one batch.

    Attributes:
        size: Int, the number of its examples.
    """

    def __init__(self, means):
        self._means = means
        self.size = None

    def loss(self, params):
        """Returns the mean loss, a scalar tensor."""
        return self._measured("loss", params)[0]

    def loss_and_gradient(self, params):
        """Returns the mean loss, and its gradient, a list of tensors."""
        loss, *grads = self._measured("gradient", params)
        return loss, grads

    def gradient(self, params):
        """Returns the gradient of the mean loss, a list of tensors."""
        return self.loss_and_gradient(params)[1]

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._measured("product", params, vector)

    def _measured(self, what, *of):
        size, found = self._means(what, *of)
        self.size = int(size)
        return found


def dataset(x, y=None, sample_weight=None, batch_size=128):
    """Returns data as a `tf.data.Dataset` of batches, in their order."""
    if isinstance(x, tf.data.Dataset):
        return x
    arrays = tuple(a for a in (x, y, sample_weight) if a is not None)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def _check(model):
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {model!r}")
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled with its loss. Received: "
            f"{model.name!r}, which is not"
        )
