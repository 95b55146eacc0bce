"""The trace of the Hessian, the sum of its eigenvalues."""

import dataclasses
import math

import numpy as np

from keras_sam import _validation
from keras_sam.landscape import _hessian as hessians
from keras_sam.landscape import _results
from keras_sam.landscape._hessian import Curved

# Fewer draws may agree by chance.
_FEWEST = 10


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trace(_results.Result):
    """The result of `trace`.

    Attributes:
        value: Float, the mean of `samples`.
        standard_error: Float, of the value; infinite for one draw.
        samples: Float64 array of shape (draws,), v'Hv for each draw v.
        products: Int, the number of products computed, one a draw.
        converged: Bool, whether the standard error is within the tolerance.
        complete: Bool, False if interrupted.
    """

    value: float
    standard_error: float
    samples: np.ndarray
    products: int
    converged: bool
    complete: bool


def trace(
    landscape: Curved,
    *,
    params: list | None = None,
    draws: int = 100,
    tolerance: float = 0.01,
    seed: int = 0,
    progress: _results.Progress = False,
) -> Trace:
    """Returns Hutchinson's estimate of the trace of the Hessian.

    It is the mean of v'Hv over vectors v of random signs. Memory: a few copies
    of the weights.

    Args:
        landscape: As for `eigenvalues`.
        params: As for `eigenvalues`.
        progress: As for `eigenvalues`.
        draws: Int, at least 1: the largest number of vectors, each with one
            product.
        tolerance: Float, at least 0. From ten draws on, the work stops when the
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
    samples: list[float] = []

    def error() -> float:
        if len(samples) < 2:
            return math.inf
        return float(np.std(samples, ddof=1) / math.sqrt(len(samples)))

    def converged() -> bool:
        if len(samples) < _FEWEST:
            return False
        return bool(error() <= tolerance * abs(np.mean(samples)))

    with _results.Work(progress, draws, "product") as work:
        while len(samples) < draws and not converged():
            v = hessians.signs(random, hessian.size)
            samples.append(float(v @ hessian(v)))
            work.advance()
    return Trace(
        value=float(np.mean(samples)),
        standard_error=error(),
        samples=np.array(samples),
        products=hessian.products,
        converged=converged(),
        complete=work.complete,
    )
