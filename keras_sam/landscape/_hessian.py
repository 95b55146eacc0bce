"""The Hessian of a landscape as an operator on vectors."""

import math

import numpy as np
from keras import backend
from keras import ops


class Hessian:
    """Multiplies float64 vectors.

    Args:
        landscape: Any object with `params`, a list of tensors, and
            `hessian_vector_product(params, vector)`.
        params: List of tensors, where the Hessian is, or None for those.

    Attributes:
        size: Int, the number of weights.
        products: Int, how many there have been.
    """

    def __init__(self, landscape, params):
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
                "`landscape` must have trained weights. Received one of none"
            )

    def __call__(self, vector):
        vector = [
            ops.convert_to_tensor(
                v, dtype=backend.standardize_dtype(param.dtype)
            )
            for v, param in zip(self.split(vector), self._params, strict=True)
        ]
        product = self._landscape.hessian_vector_product(self._params, vector)
        product = [
            np.asarray(ops.convert_to_numpy(p), "float64") for p in product
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

    def split(self, vector):
        """Returns a vector as a list of arrays shaped like the weights."""
        parts = np.split(vector, np.cumsum(self._sizes)[:-1])
        return [p.reshape(s) for p, s in zip(parts, self._shapes, strict=True)]


def signs(random, shape):
    """Returns an array of random 1s and -1s."""
    return 2.0 * random.integers(0, 2, shape) - 1.0


def _shapes(tensors):
    return [tuple(tensor.shape) for tensor in tensors]
