"""What all backends do with the batches of a data set."""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras

from keras_sam._types import Batch


@dataclasses.dataclass(frozen=True)
class Part:
    """A batch of a data set.

    Attributes:
        index: Int, the index of the batch in the data set.
        size: Int, the number of its examples, on all replicas.
        data: The batch, in the form that its replicas or devices take.
    """

    index: int
    size: int
    data: Any


class BaseBatchMeans:
    """Evaluates a model on batches, each as the mean over its examples.

    A subclass says how the four measures below are compiled, and how one is
    called on all devices.

    Args:
        model: `keras.Model`, compiled.
        evaluator: `Evaluator` of the model.

    Attributes:
        model: The model.
        variables: List of the trained Keras variables.
    """

    # The measures, compiled if they are to be.
    _losses: Callable[..., list]
    _gradients: Callable[..., list]
    _products: Callable[..., list]
    _squares: Callable[..., list]

    def __init__(self, model: keras.Model, evaluator: Any) -> None:
        self.model = model
        self.variables = evaluator.params
        self._evaluator = evaluator

    def batches(self) -> Iterator[Part]:
        """Yields a `Part` for each batch that has examples."""
        raise NotImplementedError

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
                first on. On TensorFlow each replica uses as many.
        """
        return self._called(self._squares, part, params, examples)

    def _called(
        self,
        function: Callable[..., list],
        part: Part,
        params: list,
        *more: Any,
    ) -> list:
        """Returns the means of one of the four functions over a `Part`."""
        raise NotImplementedError

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


def unpacked(data: Any) -> Batch:
    """Returns the `Batch` of a batch as `fit` takes it."""
    return Batch(*keras.utils.unpack_x_y_sample_weight(data))
