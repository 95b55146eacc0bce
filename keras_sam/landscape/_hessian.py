"""The Hessian of a landscape as an operator on vectors."""

import math
from typing import Any
from typing import Protocol
from typing import runtime_checkable

import numpy as np
from keras import backend
from keras import ops

from keras_sam._backend import values


@runtime_checkable
class Curved(Protocol):
    """What `Hessian` needs of a landscape."""

    @property
    def params(self) -> list:
        """List of tensors, the weights."""

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian at params times a list of tensors."""


class Hessian:
    """Multiplies float64 vectors by the Hessian.

    Args:
        landscape: A `Landscape`, or any object with `params`, a list of
            tensors, and `hessian_vector_product(params, vector)`.
        params: List of tensors, where the Hessian is; None for
            `landscape.params`.

    Attributes:
        size: Int, the number of weights.
        products: Int, the number of products so far.

    Raises:
        TypeError: If `landscape` is something else, such as a model.
        ValueError: If `params` has other shapes, or there are no weights.
    """

    def __init__(self, landscape: Curved, params: list | None) -> None:
        if not isinstance(landscape, Curved):
            raise wrong(landscape)
        self.products = 0
        self._landscape = landscape
        self._params = landscape.params if params is None else list(params)
        self._shapes = _shapes(self._params)
        if self._shapes != _shapes(landscape.params):
            raise ValueError(
                "`params` must have the shapes of `landscape.params`, "
                f"{_shapes(landscape.params)}. Received: {self._shapes}"
            )
        self._sizes = [math.prod(shape) for shape in self._shapes]
        self.size = sum(self._sizes)
        if self.size == 0:
            raise ValueError(
                "`landscape` must have trained weights. Received one without "
                "any"
            )

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        """Returns the Hessian times a vector.

        Raises:
            FloatingPointError: If the product is not finite.
        """
        tensors = [
            ops.convert_to_tensor(
                v, dtype=backend.standardize_dtype(param.dtype)
            )
            for v, param in zip(self.split(vector), self._params, strict=True)
        ]
        product = [
            np.asarray(values.array(p), "float64")
            for p in self._landscape.hessian_vector_product(
                self._params, tensors
            )
        ]
        wrong = [i for i, p in enumerate(product) if not np.isfinite(p).all()]
        if wrong:
            raise FloatingPointError(
                "The Hessian must be finite at `params`. Received NaN or "
                f"infinity in its product with a vector, in the weights {wrong}"
                f" of {len(product)}"
            )
        self.products += 1
        return np.concatenate([p.ravel() for p in product])

    def split(self, vector: np.ndarray) -> list[np.ndarray]:
        """Returns a vector as a list of arrays shaped like the weights."""
        parts = np.split(vector, np.cumsum(self._sizes)[:-1])
        return [p.reshape(s) for p, s in zip(parts, self._shapes, strict=True)]


def wrong(landscape: Any) -> TypeError:
    """Returns the error of something else in the place of a landscape."""
    return TypeError(
        "`landscape` must be a `keras_sam.landscape.Landscape`, a compiled "
        "model with the data to measure on: `Landscape(model, x, y)`. "
        f"Received: {landscape!r}"
    )


def signs(
    random: np.random.Generator, shape: int | tuple[int, ...]
) -> np.ndarray:
    """Returns an array of random 1s and -1s."""
    return 2.0 * random.integers(0, 2, shape) - 1.0


def _shapes(tensors: list) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in tensors]
