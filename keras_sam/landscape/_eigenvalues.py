"""The eigenvalues at an end of the spectrum of the Hessian.

Eigenvalues and their errors have the unit of the loss, divided by the square of
the unit of the weights. The products of the Hessian with vectors are in the
dtype of the weights. Each costs about four forward passes over the data. All
other work is in float64.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam.landscape import _hessian as hessians
from keras_sam.landscape import _lanczos
from keras_sam.landscape import _results
from keras_sam.landscape._hessian import Curved

# `eigenvalues` returns the values with the largest order.
_ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "largest algebraic": lambda values: values,
    "smallest algebraic": lambda values: -values,
    "largest magnitude": np.abs,
}
# Below this share of the largest magnitude, an eigenvalue counts as zero.
_ZERO = 0.01


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Eigenvalues(_results.Result):
    """The result of `eigenvalues`.

    Attributes:
        values: Float64 array of shape (k,), in the requested order. It is
            shorter if an interruption came before k products.
        residuals: Array like `values`, ||H v - value v|| for the unit vector v
            of each value. The distance from the value to an eigenvalue of H is
            at most the residual.
        vectors: List of k eigenvectors, each a list of float64 arrays shaped
            like the weights, together of unit length; or None.
        products: Int, the number of products computed.
        converged: Bool, whether all residuals are within the tolerance.
        complete: Bool, False if interrupted.
    """

    values: np.ndarray
    residuals: np.ndarray
    vectors: list | None
    products: int
    converged: bool
    complete: bool

    def _more(self) -> dict[str, Any]:
        return {
            "values": self.values,
            "residuals": self.residuals,
        }


def eigenvalues(
    landscape: Curved,
    k: int = 1,
    which: str = "largest algebraic",
    *,
    params: list | None = None,
    iterations: int = 100,
    tolerance: float = 1e-3,
    block_size: int | None = None,
    vectors: bool = False,
    seed: int = 0,
    progress: _results.Progress = False,
) -> Eigenvalues:
    """Returns the k eigenvalues at an end of the Hessian's spectrum.

    The method is block Lanczos with full orthogonalization. Eigenvalues have
    their signs; the norms of a power iteration have none. Memory: at most
    `iterations` float64 copies of the weights, and about two more for each
    vector of the block.

    Args:
        landscape: A `Landscape`, or any object with `params`, a list of
            tensors, and `hessian_vector_product(params, vector)`.
        k: Int, at least 1, at most the number of weights.
        which: "largest algebraic", "smallest algebraic" (most negative first),
            or "largest magnitude" (either sign).
        params: List of tensors, where the Hessian is; None for
            `landscape.params`.
        iterations: Int, at least k: the largest number of products.
        tolerance: Float, at least 0. The iteration stops when each residual is
            at most this share of its eigenvalue, or of a hundredth of the
            largest Ritz value in magnitude, whichever is more.
        block_size: Int, at least 1, at most `iterations`: the number of random
            vectors to start from, and the largest number of copies that the
            result has of one eigenvalue. None for k. A smaller block converges
            in fewer products.
        vectors: Bool, whether to return eigenvectors.
        seed: Int, of the vectors to start from.
        progress: See `keras_sam.landscape`. It counts products.

    Returns:
        `Eigenvalues`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a product is not finite.
    """
    order = _ORDERS[_validation.choice("which", which, _ORDERS)]
    tolerance = _validation.number("tolerance", tolerance, 0.0)
    hessian = hessians.Hessian(landscape, params)
    at_most = _validation.integer_up_to
    k = at_most("k", k, hessian.size, "the number of weights")
    iterations = _validation.integer("iterations", iterations, 1)
    at_most("k", k, iterations, "`iterations`")
    if block_size is None:
        block_size = k
    at_most("block_size", block_size, iterations, "`iterations`")
    block_size = min(block_size, hessian.size)
    random = np.random.default_rng(_validation.integer("seed", seed, 0))
    space = _lanczos.Lanczos(
        hessian, random.standard_normal((block_size, hessian.size)), iterations
    )

    check, total = 1, min(iterations, hessian.size)
    with _results.Work(progress, total, "product") as work:
        while space.grow():
            work.advance()
            if space.size >= check:
                if _wanted(space, k, order, tolerance)[3]:
                    break
                # The cost of a check grows with the cube of the size.
                check += 1 + check // 10
    values, coordinates, residuals, converged = _wanted(
        space, k, order, tolerance
    )
    rows = space.vectors(coordinates) if vectors else ()
    return Eigenvalues(
        values=values,
        residuals=residuals,
        vectors=[hessian.split(row) for row in rows] if vectors else None,
        products=hessian.products,
        converged=converged,
        complete=work.complete,
    )


def _wanted(
    space: _lanczos.Lanczos,
    k: int,
    order: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Returns the first k Ritz values of an order, and their errors.

    Returns:
        values: Array of the Ritz values, the first in the order first.
        coordinates: Array, each column a vector in the basis of the space.
        residuals: Array of the residual norms.
        converged: Bool, whether all k residuals are within the tolerance.
    """
    values, coordinates, residuals = space.ritz()
    best = np.argsort(-order(values), kind="stable")[:k]
    floor = _ZERO * np.max(np.abs(values))
    limits = tolerance * np.maximum(np.abs(values[best]), floor)
    enough = space.started() and len(best) == k
    converged = enough and bool(np.all(residuals[best] <= limits))
    return values[best], coordinates[:, best], residuals[best], converged
