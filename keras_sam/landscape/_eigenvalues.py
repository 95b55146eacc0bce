"""The spectrum of the Hessian: its ends and its trace.

A `landscape` here is a `landscape.Landscape`, or any object with `params`, a
list of tensors, and `hessian_vector_product(params, vector)`. Eigenvalues and
their errors are in units of the loss over those of the weights squared. All
work is in float64, but for the products, which are in the dtype of the weights
and cost about four forward passes over the data each.
"""

import dataclasses
import math

import numpy as np

from keras_sam import _validation
from keras_sam.landscape import _hessian as hessians
from keras_sam.landscape import _lanczos
from keras_sam.landscape import _results

# The wanted values are those of which this is largest.
_ORDERS = {
    "largest algebraic": lambda values: values,
    "smallest algebraic": lambda values: -values,
    "largest magnitude": np.abs,
}
# Eigenvalues below this share of the largest are as good as zero.
_ZERO = 0.01
# Fewer draws can agree by chance.
_FEWEST = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Eigenvalues(_results.Result):
    """What `eigenvalues` returns.

    Attributes:
        values: Float64 array of shape (k,), in the order asked for; fewer if
            interrupted before.
        residuals: Array like it, ||H v - value v|| of the unit vectors v: an
            eigenvalue of H is at most so far away.
        vectors: List of k eigenvectors, each a list of float64 arrays shaped
            like the weights, unit length; or None.
        products: Int, how many products it took.
        converged: Bool, whether all residuals are within the tolerance.
        complete: Bool, False if interrupted.
    """

    values: np.ndarray
    residuals: np.ndarray
    vectors: list | None
    products: int
    converged: bool
    complete: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Trace(_results.Result):
    """What `trace` returns.

    Attributes:
        value: Float, the mean of `samples`.
        standard_error: Float, its standard deviation; infinite of one draw.
        samples: Float64 array of shape (draws,), the v'Hv.
        products: Int, how many products it took, one a draw.
        converged: Bool, whether the standard error is within the tolerance.
        complete: Bool, False if interrupted.
    """

    value: float
    standard_error: float
    samples: np.ndarray
    products: int
    converged: bool
    complete: bool


def eigenvalues(
    landscape,
    k=1,
    which="largest algebraic",
    *,
    params=None,
    iterations=100,
    tolerance=1e-3,
    block_size=None,
    vectors=False,
    seed=0,
    progress=False,
):
    """Returns the k eigenvalues at an end of the Hessian's spectrum.

    By block Lanczos with full orthogonalization; signs are right, unlike those
    of the norms of power iteration. Memory: `iterations` float64 copies of the
    weights at most, and about two a vector of the block more.

    Args:
        landscape: See above.
        k: Int, at least 1, at most the number of weights.
        which: "largest algebraic", "smallest algebraic" (most negative first),
            or "largest magnitude" (either sign).
        params: List of tensors, where the Hessian is; None for those of
            `landscape`.
        iterations: Int, at least k: products at most.
        tolerance: Float, at least 0. It stops when each residual is at most
            this share of its eigenvalue, or of a hundredth of the largest
            magnitude found if that is more.
        block_size: Int, at least 1, at most `iterations`: how many random
            vectors to start from. As many copies of an eigenvalue are found.
            None for k. Less converges in fewer products.
        vectors: Bool, whether to return eigenvectors.
        seed: Int, of the vectors to start from.
        progress: See `results.Work`; counts products.

    Returns:
        `Eigenvalues`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a product is not finite.
    """
    order = _order(which)
    tolerance = _validation.number("tolerance", tolerance, 0.0)
    hessian = hessians.Hessian(landscape, params)
    k = _at_most("k", k, "the number of weights", hessian.size)
    iterations = _validation.integer("iterations", iterations, 1)
    _at_most("k", k, "`iterations`", iterations)
    if block_size is None:
        block_size = k
    block_size = _at_most("block_size", block_size, "`iterations`", iterations)
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
                check += 1 + check // 10  # What it costs grows by its cube.
    values, coordinates, residuals, converged = _wanted(
        space, k, order, tolerance
    )
    found = None
    if vectors:
        found = [hessian.split(v) for v in space.vectors(coordinates)]
    return Eigenvalues(
        values, residuals, found, hessian.products, converged, work.complete
    )


def trace(
    landscape,
    *,
    params=None,
    draws=100,
    tolerance=0.01,
    seed=0,
    progress=False,
):
    """Returns an estimate of the trace of the Hessian, Hutchinson's.

    It is the mean of v'Hv over vectors v of random signs. Memory: a few copies
    of the weights.

    Args:
        landscape, params, progress: As those of `eigenvalues`.
        draws: Int, at least 1: vectors, hence products, at most.
        tolerance: Float, at least 0. From ten draws on it stops when the
            standard error is at most this share of the value.
        seed: Int, of the vectors.

    Returns:
        `Trace`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a product is not finite.
    """
    draws = _validation.integer("draws", draws, 1)
    tolerance = _validation.number("tolerance", tolerance, 0.0)
    random = np.random.default_rng(_validation.integer("seed", seed, 0))
    hessian = hessians.Hessian(landscape, params)
    samples = []

    def error():
        if len(samples) < 2:
            return math.inf
        return float(np.std(samples, ddof=1) / math.sqrt(len(samples)))

    def converged():
        if len(samples) < _FEWEST:
            return False
        return bool(error() <= tolerance * abs(np.mean(samples)))

    with _results.Work(progress, draws, "product") as work:
        while len(samples) < draws and not converged():
            v = hessians.signs(random, hessian.size)
            samples.append(float(v @ hessian(v)))
            work.advance()
    return Trace(
        float(np.mean(samples)),
        error(),
        np.array(samples),
        hessian.products,
        converged(),
        work.complete,
    )


def _wanted(space, k, order, tolerance):
    """Returns the k wanted Ritz values, and what `Eigenvalues` has of them.

    Returns:
        Values, coordinates of the vectors, residuals, and whether converged.
    """
    values, coordinates, residuals = space.ritz()
    best = np.argsort(-order(values), kind="stable")[:k]
    floor = _ZERO * np.max(np.abs(values))
    limits = tolerance * np.maximum(np.abs(values[best]), floor)
    enough = space.started() and len(best) == k
    converged = enough and bool(np.all(residuals[best] <= limits))
    return values[best], coordinates[:, best], residuals[best], converged


def _order(which):
    if which not in _ORDERS:
        raise ValueError(
            f"`which` must be one of {tuple(_ORDERS)}. Received: {which!r}"
        )
    return _ORDERS[which]


def _at_most(name, value, limit_name, limit):
    value = _validation.integer(name, value, 1)
    if value > limit:
        raise ValueError(
            f"`{name}` must be at most {limit_name}, {limit}. "
            f"Received: {value!r}"
        )
    return value
