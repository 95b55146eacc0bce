"""The mean loss over a data set, as a function of the weights."""

import functools
import math
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops
from keras import tree

from keras_sam import _filters
from keras_sam import vectors
from keras_sam._algorithm import selection
from keras_sam._backend import values
from keras_sam._evaluation import batch_means
from keras_sam._evaluation import datasets
from keras_sam._evaluation import preparation
from keras_sam._types import Batch
from keras_sam._types import Point
from keras_sam.landscape._batch import Losses
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._hessian import wrong


class Landscape(Losses):
    """The mean loss over all examples, at any weights.

    The loss is the one given to `compile`, with regularizers and `add_loss`. It
    is in evaluation mode, with moving batch statistics and without dropout,
    unless `training` is True. The mean over batches is weighted by their
    numbers of examples, so the last batch may be smaller. Weights (`params`)
    are lists of tensors, one for each trained variable. A strategy divides each
    batch among its replicas.

    A loss, gradient or product that is not finite raises a FloatingPointError
    that names the batch.

    Args:
        model: `keras.Model`, compiled, for example a
            `SharpnessAwareMinimization`. A model that is not built is built
            from the data. A model that prepares the data of `fit` by
            `preprocess_samples`, as KerasHub's tasks do, prepares these too. It
            must prepare them alike each time.
        x: Inputs: arrays as `fit` takes them, nested or not; a
            `tf.data.Dataset` of batches, which must end and must not be
            shuffled anew in each iteration; or a `keras.utils.PyDataset`.
        y: Targets, if `x` is arrays.
        sample_weight: Weights of the examples, or None, if `x` is arrays.
        batch_size: Int, at least 1, if `x` is arrays.
        training: Bool. True: batch statistics and dropout as in training. The
            dropout mask is the same at all weights. No statistics are kept.
        xla: As for `SharpnessAwareMinimization`.

    Attributes:
        model: The model.
        params: List of tensors, the weights at the time of construction.
            (Batch statistics and seeds are the present ones.)
        variables: List of the Keras variables with the values `params`.
        number: Int, the number of batches, or None if unknown.
        training: Bool, as given.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If the model is not compiled, or there are no data, or they
            do not fit the model.
        FloatingPointError: If the loss of the first batch is not finite.
    """

    def __init__(
        self,
        model: keras.Model,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int = 128,
        training: bool = False,
        xla: bool | str = "auto",
    ) -> None:
        _check(model)
        self.model = model
        self.training = bool(training)
        # Random draws on all data are the draws on the first batch.
        self.iterations = ops.convert_to_tensor(0, "int")
        prepare = preparation.preparer(model)
        data = datasets.batches(x, y, sample_weight, batch_size, prepare)
        number = int(data.cardinality())
        self.number = number if number >= 0 else None
        first = next(iter(data), None)
        if first is None:
            raise ValueError("There must be data. Received no batch")
        try:
            self._means = batch_means.BatchMeans(
                model, data, first, training, xla
            )
            self.variables = self._means.variables
            self.params = values.snapshot(self.variables)
            # Data that do not fit raise an error now.
            next(self.batches()).loss(self.params)
        except batch_means.MISFITS as error:
            raise ValueError(
                "The data must fit the model. Received batches of "
                f"{tree.map_structure(_shape, first)}, with which "
                f"{model.name!r} fails: {error}"
            ) from error

    def __repr__(self) -> str:
        """Returns what is measured, in one line."""
        weights = sum(math.prod(w.shape) for w in self.params)
        number = "an unknown number of" if self.number is None else self.number
        return (
            f"Landscape({self.model!r}, {weights:,} weights, {number} batches, "
            f"training={self.training})"
        )

    @functools.cached_property
    def examples(self) -> int:
        """The number of examples."""
        return sum(patch.size for patch in self.batches())

    @property
    def size(self) -> int:
        """The number of examples, under the name that `Patch` has for it."""
        return self.examples

    def weights(self, params: list | None = None) -> list:
        """Returns weights as tensors in the dtypes of the model.

        Args:
            params: List of tensors or arrays; None for `self.params`.

        Raises:
            TypeError: If they are no list.
            ValueError: If they do not have the shapes of the model's weights.
        """
        if params is None:
            return self.params
        shapes = [tuple(w.shape) for w in self.params]
        if not isinstance(params, (list, tuple)):
            raise TypeError(
                "Weights, and directions through them, must be lists of "
                f"tensors, one for each trained variable. Received: {params!r}"
            )
        received = [tuple(ops.shape(w)) for w in params]
        if received != shapes:
            raise ValueError(
                "Weights, and directions through them, must be lists shaped "
                f"like the weights of the model, {shapes}. Received: {received}"
            )
        return [
            ops.cast(ops.convert_to_tensor(value), w.dtype)
            for value, w in zip(params, self.params, strict=True)
        ]

    def batches(self) -> Iterator[Patch]:
        """Yields the landscape of each batch, a `Patch`."""
        for part in self._means.batches():
            yield Patch(self._means, part)

    def loss(self, params: list) -> float:
        """Returns the mean loss, a float."""
        return float(super().loss(params))

    def evaluate(
        self, params: list, gradient: bool = True, batch: Batch | None = None
    ) -> Point:
        """Returns the `Point` at params, of all examples."""

        def measure(patch: Patch) -> list:
            point = patch.evaluate(params, gradient)
            return [point.loss, *point.grads]

        loss, *grads = self._mean(measure)
        return Point(params, loss, grads, None, [], [])

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian of the mean loss times a list of tensors."""
        return self._mean(
            lambda patch: patch.hessian_vector_product(params, vector)
        )

    def squared_gradients(self, params: list, examples: int) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, how many of each batch at most, the first ones.
        """
        return self._mean(
            lambda patch: patch.squared_gradients(params, examples)
        )

    def filters(self) -> list[tuple[int, ...] | None]:
        """Returns the axes of filters, see `parts.Context`."""
        return _filters.axes(self.model, self.variables)

    def which(self, choice: Any) -> list[bool]:
        """Returns which variables a choice has, see `parts.Context`."""
        return selection.which(choice, self.variables, self.model)

    def _mean(self, measure: Callable[[Patch], list]) -> list:
        """Returns the mean of tensors over batches, weighted by size."""
        total: list = []
        examples = 0
        for patch in self.batches():
            terms = vectors.scale(float(patch.size), measure(patch))
            total = vectors.add(total, terms) if total else terms
            examples += patch.size
        return vectors.scale(1 / examples, total)


def check(landscape: Any) -> None:
    """Raises TypeError unless the argument `landscape` is a `Landscape`."""
    if not isinstance(landscape, Landscape):
        raise wrong(landscape)


def _check(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a `keras.Model`, and the data come after it: "
            f"`Landscape(model, x, y)`. Received: {model!r}"
        )
    if not model.compiled:
        raise ValueError(
            "`model` must be compiled with its loss: call `model.compile` "
            f"first. Received: {model.name!r}, which is not"
        )


def _shape(value: Any) -> str:
    if value is None:
        return "None"
    return f"{keras.backend.standardize_dtype(value.dtype)}{list(value.shape)}"
