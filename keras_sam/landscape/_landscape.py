"""The mean loss over a data set, as a function of the weights."""

import functools

import keras
import tensorflow as tf
from keras import ops
from keras import tree

from keras_sam import _types
from keras_sam import vectors
from keras_sam._backend import building
from keras_sam._backend import datasets
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._backend.tensorflow.evaluator import Evaluator
from keras_sam._backend.tensorflow.evaluator import compiles
from keras_sam.landscape._batch import Patch


class Landscape:
    """The mean loss over all examples, at any weights.

    It is the loss that `compile` was given, with regularizers and `add_loss`,
    in evaluation mode unless told otherwise: moving batch statistics, no
    dropout. Batches are weighted by the number of their examples, so that the
    last one may be smaller. Weights (`params`) are lists of tensors, one for
    each trained variable. Under a strategy, batches are divided among replicas.

    What is measured is finite: a loss, gradient or product that is not, is a
    FloatingPointError that names the batch.

    Args:
        model: `keras.Model`, compiled; a `SharpnessAwareMinimization` or any
            other one. One that is not built is built from the data.
        x: Inputs, as `fit` takes them in arrays (nested ones too), a
            `tf.data.Dataset` of batches, which must end and must not be
            shuffled anew each time, or a `keras.utils.PyDataset`.
        y: Targets, if `x` is arrays.
        sample_weight: Weights of the examples, likewise, or None.
        batch_size: Int, at least 1, if `x` is arrays.
        training: Bool. True: batch statistics and dropout as in training, the
            mask the same at all weights; no statistics are kept.
        xla: As that of `SharpnessAwareMinimization`.

    Attributes:
        model: The model.
        params: List of tensors, the weights at the time of construction.
            (Batch statistics and seeds are those of now.)
        variables: List of the Keras variables that they are the values of.
        number: Int, the number of batches, or None where it is not known.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If the model is not compiled, or there are no data, or they
            do not fit the model.
        FloatingPointError: If the loss of the first batch is not finite.
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
        self._strategy = model.distribute_strategy or replicas.current()
        self._data = datasets.batches(x, y, sample_weight, batch_size)
        number = int(self._data.cardinality())
        self.number = number if number >= 0 else None
        first = next(iter(self._data), None)
        if first is None:
            raise ValueError("There must be data. Received no batch")
        try:
            self._open(first, training, xla)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise ValueError(
                "The data must fit the model. Received batches of "
                f"{tree.map_structure(_shape, first)}, with which "
                f"{model.name!r} fails: {error}"
            ) from error

    def _open(self, first, training, xla):
        with self._strategy.scope():
            building.build(self.model, first, optimizer=False)
            self._evaluator = Evaluator(
                self.model,
                self._strategy.num_replicas_in_sync,
                compiles(xla),
                training,
            )
        self.variables = self._evaluator.params
        self.params = values.read(self.variables)
        self._function = self._sums
        if not self.model.run_eagerly:
            self._function = tf.function(self._sums, autograph=False)
        # Whatever is wrong shows now.
        next(self.batches()).loss(self.params)

    @functools.cached_property
    def size(self):
        """The number of examples."""
        return sum(patch.size for patch in self.batches())

    def weights(self, params=None):
        """Returns weights as tensors; for None, those of the landscape.

        Args:
            params: List of tensors or arrays, or None.

        Raises:
            ValueError: If they are not shaped like the weights of the model.
        """
        if params is None:
            return self.params
        shapes = [tuple(w.shape) for w in self.params]
        found = [tuple(ops.shape(w)) for w in params]
        if found != shapes:
            raise ValueError(
                "Weights, and directions through them, must be lists shaped "
                f"like those of the model, {shapes}. Received: {found}"
            )
        return [
            ops.cast(ops.convert_to_tensor(value), w.dtype)
            for value, w in zip(params, self.params, strict=True)
        ]

    def batches(self):
        """Yields the landscape of each batch, a `Patch`."""
        data = self._data
        if self._strategy.num_replicas_in_sync > 1:
            data = self._strategy.experimental_distribute_dataset(data)
        for index, batch in enumerate(data):
            size = self._size(batch)
            if size:  # Those of some workers may end before those of others.
                means = functools.partial(self._means, batch, size)
                yield Patch(index, size, means)

    def loss(self, params):
        """Returns the mean loss, a float."""
        return float(self._mean(lambda patch: [patch.loss(params)])[0])

    def loss_and_gradient(self, params):
        """Returns the mean loss, a scalar tensor, and its gradient."""

        def measure(patch):
            loss, grads = patch.loss_and_gradient(params)
            return [loss, *grads]

        loss, *grads = self._mean(measure)
        return loss, grads

    def gradient(self, params):
        """Returns the gradient of the mean loss, a list of tensors."""
        return self.loss_and_gradient(params)[1]

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._mean(
            lambda patch: patch.hessian_vector_product(params, vector)
        )

    def squared_gradients(self, params, examples):
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, how many there are of each batch at most.
        """
        return self._mean(
            lambda patch: patch.squared_gradients(params, examples)
        )

    def _mean(self, measure):
        """Returns the mean of tensors over batches, weighted by size."""
        total, examples = None, 0
        for patch in self.batches():
            found = vectors.scale(float(patch.size), measure(patch))
            total = vectors.add(total, found) if total else found
            examples += patch.size
        return vectors.scale(1 / examples, total)

    def _means(self, batch, size, *of):
        found = self._function(batch, *of)
        if self._strategy.num_replicas_in_sync == 1:
            return found
        return [x / size for x in found]

    def _sums(self, batch, what, params, *more):
        """Returns the means, on several replicas times the batch size."""
        measure = functools.partial(self._measure, what)
        return self._summed(measure, batch, params, *more)

    def _summed(self, function, *arguments):
        found = self._strategy.run(function, arguments)
        return tree.map_structure(
            lambda value: self._strategy.reduce("SUM", value, axis=None), found
        )

    def _size(self, batch):
        """Returns the number of examples of all replicas."""
        if replicas.tasks(self._strategy):
            return int(self._summed(_examples, batch))
        inputs = tree.flatten(_batch(batch).x)
        first = next(value for value in inputs if value is not None)
        parts = self._strategy.experimental_local_results(first)
        return sum(int(ops.shape(part)[0]) for part in parts)

    def _measure(self, what, batch, params, vector=()):
        """Returns what the examples of this replica contribute."""
        batch = _batch(batch)
        if isinstance(batch.size, int) and batch.size == 0:
            # Keras has no loss of a batch that it knows to be empty.
            zeros = [tf.zeros_like(param) for param in params]
            loss = [tf.zeros([], params[0].dtype)]
            return {"loss": loss, "gradient": loss + zeros}.get(what, zeros)
        state = values.read(self._evaluator.state)
        if what == "product":
            found = self._evaluator.hessian_vector_product(
                state, batch, params, vector
            )
        elif what == "squares":
            found = self._evaluator.squared_gradients(
                state, batch, params, vector
            )
        else:
            point = self._evaluator(
                params, state, batch, gradient=what == "gradient"
            )
            found = [point.loss, *point.grads]
        if self._strategy.num_replicas_in_sync == 1:
            return found
        size = tf.cast(batch.size, "float64")
        # Means of no examples are not numbers.
        found = [tf.where(size > 0, x, tf.zeros_like(x)) for x in found]
        return vectors.scale(size, found)


def _check(model):
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {model!r}")
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled with its loss. Received: "
            f"{model.name!r}, which is not"
        )


def _batch(data):
    return _types.Batch(*keras.utils.unpack_x_y_sample_weight(data))


def _examples(data):
    return tf.convert_to_tensor(_batch(data).size)


def _shape(value):
    if value is None:
        return "None"
    return f"{keras.backend.standardize_dtype(value.dtype)}{list(value.shape)}"
