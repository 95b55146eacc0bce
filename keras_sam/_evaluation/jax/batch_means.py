"""Losses of a model on batches of data, on all devices of the model."""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import jax
import keras

from keras_sam._backend.jax import batches
from keras_sam._backend.jax import compiling
from keras_sam._backend.jax import replicas
from keras_sam._backend.jax import values
from keras_sam._evaluation.jax import building
from keras_sam._evaluation.jax import evaluator
from keras_sam._evaluation.jax.datasets import Batches
from keras_sam._types import Batch

# JAX and Keras raise these errors if data do not fit a model.
MISFITS = (AttributeError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Part:
    """A batch of a data set.

    Attributes:
        index: Int, the index of the batch in the data set.
        size: Int, the number of its examples.
        data: The batch.
    """

    index: int
    size: int
    data: Any


class BatchMeans:
    """Evaluates a model on batches, each as the mean over its examples.

    Args:
        model: `keras.Model`, compiled.
        data: `Batches`.
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
        data: Batches,
        first: Any,
        training: bool,
        xla: bool | str,
    ) -> None:
        self.model = model
        self._data = data
        building.build(model, first, training, optimizer=False)
        # The functions below are compiled as a whole.
        self._evaluator = evaluator.Evaluator(
            model, 1, compiled=False, training=training, once=True
        )
        self.variables = self._evaluator.params
        wrap = jax.jit if compiling.compiles_alone(xla, model) else _as_it_is
        self._losses = wrap(self._loss)
        self._gradients = wrap(self._loss_and_gradient)
        self._products = wrap(self._product)
        self._squares = wrap(self._squared)

    def batches(self) -> Iterator[Part]:
        """Yields a `Part` for each batch that has examples."""
        for index, data in enumerate(self._data):
            if batches.size(_unpacked(data)):
                data = replicas.distributed(data)
                # Several processes have a part of the batch each.
                yield Part(index, batches.size(_unpacked(data)), data)

    def evaluate(
        self, part: Part, params: list, gradient: bool
    ) -> tuple[Any, list]:
        """Returns the mean loss, and its gradient.

        The gradient is a list of tensors, empty if it is not requested.
        """
        function = self._gradients if gradient else self._losses
        loss, *grads = self._called(function, part, params)
        return loss, grads

    def hessian_vector_product(
        self, part: Part, params: list, vector: list
    ) -> list:
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._called(self._products, part, params, vector)

    def squared_gradients(
        self, part: Part, params: list, examples: int
    ) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            part: `Part`.
            params: List of tensors.
            examples: Int, the largest number of examples to use, from the
                first on.
        """
        return self._called(self._squares, part, params, examples)

    def _called(
        self, function: Callable, part: Part, params: list, *more: Any
    ) -> list:
        # The state is an argument: read while JAX traces the function, it
        # would stay what it is now.
        state = values.read(self._evaluator.state)
        return function(state, part.data, params, *more)

    def _loss(self, state: list, data: Any, params: list) -> list:
        batch = _unpacked(data)
        return [self._evaluator(params, state, batch, gradient=False).loss]

    def _loss_and_gradient(self, state: list, data: Any, params: list) -> list:
        point = self._evaluator(params, state, _unpacked(data))
        return [point.loss, *point.grads]

    def _product(
        self, state: list, data: Any, params: list, vector: list
    ) -> list:
        return self._evaluator.hessian_vector_product(
            state, _unpacked(data), params, vector
        )

    def _squared(
        self, state: list, data: Any, params: list, examples: Any
    ) -> list:
        return self._evaluator.squared_gradients(
            state, _unpacked(data), params, examples
        )


def _unpacked(data: Any) -> Batch:
    return Batch(*keras.utils.unpack_x_y_sample_weight(data))


def _as_it_is(function: Callable[..., list]) -> Callable[..., list]:
    return function
