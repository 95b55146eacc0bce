"""Losses of a model on batches of data, under the strategy of the model."""

import dataclasses
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
from keras_sam._evaluation.tensorflow import building
from keras_sam._evaluation.tensorflow import evaluator
from keras_sam._types import Batch

# TensorFlow and Keras raise these errors if data do not fit a model.
# Keras 3.16 asks targets that are None for their shape.
MISFITS = (
    *(AttributeError, TypeError, ValueError),
    tf.errors.InvalidArgumentError,
)


@dataclasses.dataclass(frozen=True)
class Part:
    """A batch of a data set.

    Attributes:
        index: Int, the index of the batch in the data set.
        size: Int, the number of its examples, on all replicas.
        data: The batch, in the form that the strategy gives it.
    """

    index: int
    size: int
    data: Any


class BatchMeans:
    """Evaluates a model on batches, each as the mean over its examples.

    Args:
        model: `keras.Model`, compiled.
        data: `tf.data.Dataset` of batches.
        first: The first batch. It builds the model.
        training: Bool, whether the model is in training mode.
        xla: As for `SharpnessAwareMinimization`.

    Attributes:
        model: The model.
        variables: List of the trained Keras variables.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tf.data.Dataset,
        first: Any,
        training: bool,
        xla: bool | str,
    ) -> None:
        self.model = model
        self._data = data
        self._strategy = model.distribute_strategy or replicas.current()
        with self._strategy.scope():
            building.build(model, first, training, optimizer=False)
            self._evaluator = evaluator.Evaluator(
                model,
                self._strategy.num_replicas_in_sync,
                compiling.compiles(xla, model),
                training,
            )
        self.variables = self._evaluator.params
        wrap = _as_it_is if model.run_eagerly else _in_a_graph
        loss, like_params = slice(0, 1), slice(1, None)
        self._losses = wrap(self._summed(self._loss, loss))
        self._gradients = wrap(
            self._summed(self._loss_and_gradient, slice(None))
        )
        self._products = wrap(self._summed(self._product, like_params))
        self._squares = wrap(self._summed(self._squared, like_params))

    def batches(self) -> Iterator[Part]:
        """Yields a `Part` for each batch that has examples."""
        data = self._data
        if self._strategy.num_replicas_in_sync > 1:
            data = self._strategy.experimental_distribute_dataset(data)
        for index, batch in enumerate(data):
            size = self._size(batch)
            if size:  # The data of one worker may end before another's.
                yield Part(index, size, batch)

    def evaluate(
        self, part: Part, params: list, gradient: bool
    ) -> tuple[Any, list]:
        """Returns the mean loss, and its gradient.

        The gradient is a list of tensors, empty if it is not requested.
        """
        function = self._gradients if gradient else self._losses
        loss, *grads = self._mean(part, function(part.data, params))
        return loss, grads

    def hessian_vector_product(
        self, part: Part, params: list, vector: list
    ) -> list:
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._mean(part, self._products(part.data, params, vector))

    def squared_gradients(
        self, part: Part, params: list, examples: int
    ) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            part: `Part`.
            params: List of tensors.
            examples: Int, the largest number of examples to use on a replica,
                from the first on.
        """
        number = tf.convert_to_tensor(examples)
        return self._mean(part, self._squares(part.data, params, number))

    def _mean(self, part: Part, sums: list) -> list:
        if self._strategy.num_replicas_in_sync == 1:
            return sums
        return [x / part.size for x in sums]

    def _size(self, batch: Any) -> int:
        """Returns the number of examples on all replicas."""
        if replicas.tasks(self._strategy):
            sizes = self._strategy.run(_examples, (batch,))
            return int(self._strategy.reduce("SUM", sizes, axis=None))
        inputs = tree.flatten(_unpacked(batch).x)
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
            batch = _unpacked(data)
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

    def _loss(self, state: list, batch: Batch, params: list) -> list:
        return [self._evaluator(params, state, batch, gradient=False).loss]

    def _loss_and_gradient(
        self, state: list, batch: Batch, params: list
    ) -> list:
        point = self._evaluator(params, state, batch)
        return [point.loss, *point.grads]

    def _product(
        self, state: list, batch: Batch, params: list, vector: list
    ) -> list:
        return self._evaluator.hessian_vector_product(
            state, batch, params, vector
        )

    def _squared(
        self, state: list, batch: Batch, params: list, examples: Any
    ) -> list:
        return self._evaluator.squared_gradients(state, batch, params, examples)


def _times(size: Any, tensor: Any) -> Any:
    # A sum over many examples may overflow in float16.
    wide = tf.cast(tensor, "float32") if tensor.dtype.size < 4 else tensor
    return tf.cast(tf.cast(size, wide.dtype) * wide, tensor.dtype)


def _zeros(params: list) -> list:
    """Returns a zero for the loss, and zeros shaped like the params."""
    loss = tf.zeros([], params[0].dtype)
    return [loss, *(tf.zeros_like(param) for param in params)]


def _unpacked(data: Any) -> Batch:
    return Batch(*keras.utils.unpack_x_y_sample_weight(data))


def _examples(data: Any) -> tf.Tensor:
    return tf.convert_to_tensor(batches.size(_unpacked(data)))


def _as_it_is(function: Callable[..., list]) -> Callable[..., list]:
    return function


def _in_a_graph(function: Callable[..., list]) -> Callable[..., list]:
    return tf.function(function, autograph=False)
