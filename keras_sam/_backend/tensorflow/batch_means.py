"""Losses of a model on batches of data, under the strategy of the model."""

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras import tree

from keras_sam._backend.tensorflow import building
from keras_sam._backend.tensorflow import evaluator
from keras_sam._backend.tensorflow import replicas
from keras_sam._backend.tensorflow import values
from keras_sam._types import Batch

# What TensorFlow and Keras raise where data do not fit a model.
MISFITS = (TypeError, ValueError, tf.errors.InvalidArgumentError)


@dataclasses.dataclass(frozen=True)
class Part:
    """A batch of a data set.

    Attributes:
        index: Int, which of the batches it is.
        size: Int, the number of its examples, on all replicas.
        data: The batch, as the strategy gives it.
    """

    index: int
    size: int
    data: Any


class BatchMeans:
    """Evaluates a model on batches, each as the mean over its examples.

    Args:
        model: `keras.Model`, compiled.
        data: `tf.data.Dataset` of batches.
        first: Its first batch, from which the model is built.
        training: Bool, whether in training mode.
        xla: As that of `SharpnessAwareMinimization`.

    Attributes:
        model: The model.
        variables: List of the trained Keras variables.
    """

    def __init__(self, model, data, first, training, xla):
        self.model = model
        self._data = data
        self._strategy = model.distribute_strategy or replicas.current()
        with self._strategy.scope():
            building.build(model, first, optimizer=False)
            self._evaluator = evaluator.Evaluator(
                model,
                self._strategy.num_replicas_in_sync,
                evaluator.compiles(xla),
                training,
            )
        self.variables = self._evaluator.params
        traced = _as_it_is if model.run_eagerly else _in_a_graph
        self._losses = traced(self._summed(self._loss))
        self._gradients = traced(self._summed(self._loss_and_gradient))
        self._products = traced(self._summed(self._product))
        self._squares = traced(self._summed(self._squared))

    def batches(self):
        """Yields the `Part`s, but no empty ones."""
        data = self._data
        if self._strategy.num_replicas_in_sync > 1:
            data = self._strategy.experimental_distribute_dataset(data)
        for index, batch in enumerate(data):
            size = self._size(batch)
            if size:  # Those of some workers may end before those of others.
                yield Part(index, size, batch)

    def evaluate(self, part, params, gradient):
        """Returns the mean loss and its gradient, or an empty list."""
        function = self._gradients if gradient else self._losses
        loss, *grads = self._mean(part, function(part.data, params))
        return loss, grads

    def hessian_vector_product(self, part, params, vector):
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._mean(part, self._products(part.data, params, vector))

    def squared_gradients(self, part, params, examples):
        """Returns the mean square of the gradients of single examples."""
        examples = tf.convert_to_tensor(examples)
        return self._mean(part, self._squares(part.data, params, examples))

    def _mean(self, part, sums):
        if self._strategy.num_replicas_in_sync == 1:
            return sums
        return [x / part.size for x in sums]

    def _size(self, batch):
        """Returns the number of examples of all replicas."""
        if replicas.tasks(self._strategy):
            sizes = self._strategy.run(_examples, (batch,))
            return int(self._strategy.reduce("SUM", sizes, axis=None))
        inputs = tree.flatten(_unpacked(batch).x)
        first = next(value for value in inputs if value is not None)
        parts = self._strategy.experimental_local_results(first)
        return sum(int(ops.shape(part)[0]) for part in parts)

    def _summed(self, measure):
        """Returns a function of a batch and more, summed over replicas.

        On one replica it returns the means of `measure`. On several it returns
        the means times the number of examples, added up.
        """

        def here(data, params, *more):
            batch = _unpacked(data)
            state = values.read(self._evaluator.state)
            empty = isinstance(batch.size, int) and batch.size == 0
            means = measure(state, batch, params, *more, empty=empty)
            if self._strategy.num_replicas_in_sync == 1:
                return means
            size = tf.cast(batch.size, "float64")
            # Means of no examples are not numbers.
            means = [tf.where(size > 0, x, tf.zeros_like(x)) for x in means]
            return [_times(size, x) for x in means]

        def summed(*arguments):
            return tree.map_structure(
                lambda value: self._strategy.reduce("SUM", value, axis=None),
                self._strategy.run(here, arguments),
            )

        return summed

    # Keras has no loss of a batch that it knows to be empty.

    def _loss(self, state, batch, params, empty):
        if empty:
            return _zeros(params)[:1]
        return [self._evaluator(params, state, batch, gradient=False).loss]

    def _loss_and_gradient(self, state, batch, params, empty):
        if empty:
            return _zeros(params)
        point = self._evaluator(params, state, batch)
        return [point.loss, *point.grads]

    def _product(self, state, batch, params, vector, empty):
        if empty:
            return _zeros(params)[1:]
        return self._evaluator.hessian_vector_product(
            state, batch, params, vector
        )

    def _squared(self, state, batch, params, examples, empty):
        if empty:
            return _zeros(params)[1:]
        return self._evaluator.squared_gradients(state, batch, params, examples)


def _times(size, tensor):
    # Sums of many examples leave the range of float16.
    wide = tf.cast(tensor, "float32") if tensor.dtype.size < 4 else tensor
    return tf.cast(tf.cast(size, wide.dtype) * wide, tensor.dtype)


def _zeros(params):
    """Returns a zero for the loss, and zeros shaped like the params."""
    loss = tf.zeros([], params[0].dtype)
    return [loss, *(tf.zeros_like(param) for param in params)]


def _unpacked(data):
    return Batch(*keras.utils.unpack_x_y_sample_weight(data))


def _examples(data):
    return tf.convert_to_tensor(_unpacked(data).size)


def _as_it_is(function):
    return function


def _in_a_graph(function):
    return tf.function(function, autograph=False)
