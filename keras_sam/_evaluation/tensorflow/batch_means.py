"""Losses of a model on batches of data, under the strategy of the model."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras import tree

from keras_sam._backend.tensorflow import batches
from keras_sam._backend.tensorflow import compiling
from keras_sam._backend.tensorflow import replicas
from keras_sam._backend.tensorflow import values
from keras_sam._evaluation.base_batch_means import BaseBatchMeans
from keras_sam._evaluation.base_batch_means import Part
from keras_sam._evaluation.base_batch_means import unpacked
from keras_sam._evaluation.tensorflow import building
from keras_sam._evaluation.tensorflow import evaluator

# TensorFlow and Keras raise these errors if data do not fit a model.
# Keras 3.16 asks targets that are None for their shape.
MISFITS = (
    *(AttributeError, TypeError, ValueError),
    tf.errors.InvalidArgumentError,
)


class BatchMeans(BaseBatchMeans):
    """Evaluates a model on batches, each as the mean over its examples.

    Args:
        model: `keras.Model`, compiled.
        data: `tf.data.Dataset` of batches.
        first: The first batch. It builds the model.
        training: Bool, whether the model is in training mode.
        xla: As for `SharpnessAwareMinimization`.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tf.data.Dataset,
        first: Any,
        training: bool,
        xla: bool | str,
    ) -> None:
        self._data = data
        self._strategy = model.distribute_strategy or replicas.current()
        with self._strategy.scope():
            building.build(model, first, training, optimizer=False)
            super().__init__(
                model,
                evaluator.Evaluator(
                    model,
                    self._strategy.num_replicas_in_sync,
                    compiling.compiles(xla, model),
                    training,
                ),
            )
        wrap = _as_it_is if model.run_eagerly else _in_a_graph
        loss, like_params = slice(0, 1), slice(1, None)
        self._losses = wrap(self._summed(self._loss, loss))
        self._gradients = wrap(
            self._summed(self._loss_and_gradient, slice(None))
        )
        self._products = wrap(self._summed(self._product, like_params))
        self._squares = wrap(self._summed(self._squared, like_params))

    def batches(self) -> Iterator[Part]:
        data = self._data
        if self._strategy.num_replicas_in_sync > 1:
            data = self._strategy.experimental_distribute_dataset(data)
        for index, batch in enumerate(data):
            size = self._size(batch)
            if size:  # The data of one worker may end before another's.
                yield Part(index, size, batch)

    def _called(
        self,
        function: Callable[..., list],
        part: Part,
        params: list,
        *more: Any,
    ) -> list:
        # TensorFlow would trace a function anew for another int.
        more = tree.map_structure(tf.convert_to_tensor, more)
        sums = function(part.data, params, *more)
        if self._strategy.num_replicas_in_sync == 1:
            return sums
        return [x / part.size for x in sums]

    def _size(self, batch: Any) -> int:
        """Returns the number of examples on all replicas."""
        if replicas.tasks(self._strategy):
            sizes = self._strategy.run(_examples, (batch,))
            return int(self._strategy.reduce("SUM", sizes, axis=None))
        inputs = tree.flatten(unpacked(batch).x)
        first = next(value for value in inputs if value is not None)
        parts = self._strategy.experimental_local_results(first)
        return sum(int(ops.shape(part)[0]) for part in parts)

    def _summed(
        self, measure: Callable[..., list], measured: slice
    ) -> Callable[..., list]:
        """Returns a function of a batch, params, and more.

        On one replica the function returns the means of `measure`. On several
        replicas it multiplies the means by the number of examples of each
        replica, and returns the sums over replicas.

        Args:
            measure: Function of the state, a batch, params, and more.
            measured: Which of a loss and its gradient the results are like.
        """

        def here(data: Any, params: list, *more: Any) -> list:
            batch = unpacked(data)
            size = batches.size(batch)
            if isinstance(size, int) and size == 0:
                # Keras cannot compute the loss of a batch with a static size
                # of 0.
                return _zeros(params)[measured]
            state = values.read(self._evaluator.state)
            means = measure(state, batch, params, *more)
            if self._strategy.num_replicas_in_sync == 1:
                return means
            size = tf.cast(size, "float64")
            # A mean over no examples is NaN.
            means = [tf.where(size > 0, x, tf.zeros_like(x)) for x in means]
            return [_times(size, x) for x in means]

        def summed(*arguments: Any) -> list:
            return tree.map_structure(
                lambda value: self._strategy.reduce("SUM", value, axis=None),
                self._strategy.run(here, arguments),
            )

        return summed


def _times(size: Any, tensor: Any) -> Any:
    # A sum over many examples may overflow in float16.
    wide = tf.cast(tensor, "float32") if tensor.dtype.size < 4 else tensor
    return tf.cast(tf.cast(size, wide.dtype) * wide, tensor.dtype)


def _zeros(params: list) -> list:
    """Returns a zero for the loss, and zeros shaped like the params."""
    loss = tf.zeros([], params[0].dtype)
    return [loss, *(tf.zeros_like(param) for param in params)]


def _examples(data: Any) -> tf.Tensor:
    return tf.convert_to_tensor(batches.size(unpacked(data)))


def _as_it_is(function: Callable[..., list]) -> Callable[..., list]:
    return function


def _in_a_graph(function: Callable[..., list]) -> Callable[..., list]:
    return tf.function(function, autograph=False)
