"""The loss on one batch, as a function of the weights."""

from typing import Any

from keras import ops

from keras_sam import _filters
from keras_sam import vectors
from keras_sam._algorithm import selection
from keras_sam._algorithm.objective import Objective
from keras_sam._algorithm.objective import scalar
from keras_sam._evaluation import batch_means
from keras_sam._evaluation.base_batch_means import Part
from keras_sam._types import Batch
from keras_sam._types import Point


class Losses(Objective):
    """An objective with methods for the users of a landscape."""

    def loss(self, params: list) -> Any:
        """Returns the mean loss, a scalar tensor."""
        return self.evaluate(params, gradient=False).loss

    def loss_and_gradient(self, params: list) -> tuple[Any, list]:
        """Returns the mean loss, and its gradient, a list of tensors."""
        point = self.evaluate(params)
        return point.loss, point.grads

    def gradient(self, params: list) -> list:
        """Returns the gradient of the mean loss, a list of tensors."""
        return self.evaluate(params).grads


class Patch(Losses):
    """The landscape of one batch.

    A loss, gradient or product that is not finite raises FloatingPointError.

    Args:
        means: `batch_means.BatchMeans` of the data set.
        part: `Part`, the batch.

    Attributes:
        index: Int, the index of the batch in the data set.
        size: Int, the number of its examples.
    """

    def __init__(self, means: batch_means.BatchMeans, part: Part) -> None:
        self.index = part.index
        self.size = self.examples = part.size
        # Each batch has random draws of its own.
        self.iterations = ops.convert_to_tensor(part.index, "int")
        self._means = means
        self._part = part

    def evaluate(
        self, params: list, gradient: bool = True, batch: Batch | None = None
    ) -> Point:
        """Returns the `Point` at params, of all examples of the batch."""
        loss, grads = self._means.evaluate(self._part, params, gradient)
        scalar(loss, "A landscape")
        name = "loss or gradient" if gradient else "loss"
        self._check(name, [loss, *grads])
        return Point(params, loss, grads, None, [], [])

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian of the mean loss times a list of tensors."""
        product = self._means.hessian_vector_product(self._part, params, vector)
        return self._check("Hessian-vector product", product)

    def squared_gradients(self, params: list, examples: int) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, how many of the batch (of each replica) at most, the
                first ones.
        """
        squares = self._means.squared_gradients(self._part, params, examples)
        return self._check("gradient", squares)

    def filters(self) -> list[tuple[int, ...] | None]:
        """Returns the axes of filters, see `parts.Context`."""
        return _filters.axes(self._means.model, self._means.variables)

    def which(self, choice: Any) -> list[bool]:
        """Returns which variables a choice has, see `parts.Context`."""
        means = self._means
        return selection.which(choice, means.variables, means.model)

    def _check(self, name: str, tensors: list) -> list:
        if not vectors.all_finite(tensors):
            raise FloatingPointError(
                f"The {name} must be finite. Received one that is not, on the "
                f"batch of index {self.index}"
            )
        return tensors
