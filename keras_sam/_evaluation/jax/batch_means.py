"""Losses of a model on batches of data, on all devices of the model."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import jax
import keras

from keras_sam._backend.jax import batches
from keras_sam._backend.jax import compiling
from keras_sam._backend.jax import replicas
from keras_sam._backend.jax import values
from keras_sam._evaluation.base_batch_means import BaseBatchMeans
from keras_sam._evaluation.base_batch_means import Part
from keras_sam._evaluation.base_batch_means import unpacked
from keras_sam._evaluation.jax import building
from keras_sam._evaluation.jax import evaluator
from keras_sam._evaluation.jax.datasets import Batches

# JAX and Keras raise these errors if data do not fit a model.
MISFITS = (AttributeError, TypeError, ValueError)


class BatchMeans(BaseBatchMeans):
    """Evaluates a model on batches, each as the mean over its examples.

    Args:
        model: `keras.Model`, compiled.
        data: `Batches`.
        first: The first batch. It builds the model.
        training: Bool, whether the model is in training mode.
        xla: As for `SharpnessAwareMinimization`.
    """

    def __init__(
        self,
        model: keras.Model,
        data: Batches,
        first: Any,
        training: bool,
        xla: bool | str,
    ) -> None:
        self._data = data
        building.build(model, first, training, optimizer=False)
        super().__init__(
            model,
            # The functions below are compiled as a whole.
            evaluator.Evaluator(
                model, 1, compiled=False, training=training, once=True
            ),
        )
        wrap = jax.jit if compiling.compiles_alone(xla, model) else _as_it_is
        self._losses = wrap(self._loss)
        self._gradients = wrap(self._loss_and_gradient)
        self._products = wrap(self._product)
        self._squares = wrap(self._squared)

    def batches(self) -> Iterator[Part]:
        for index, data in enumerate(self._data):
            if batches.size(unpacked(data)):
                data = replicas.distributed(data)
                # Several processes have a part of the batch each.
                yield Part(index, batches.size(unpacked(data)), data)

    def _called(
        self,
        function: Callable[..., list],
        part: Part,
        params: list,
        *more: Any,
    ) -> list:
        # The state is an argument: read while JAX traces the function, it
        # would stay what it is now.
        state = values.read(self._evaluator.state)
        return function(state, unpacked(part.data), params, *more)


def _as_it_is(function: Callable[..., list]) -> Callable[..., list]:
    return function
