"""The density of the eigenvalues of the Hessian.

See `spectrum.py` for what a `landscape` is here.
"""

import dataclasses
import math

import numpy as np

from keras_sam import _validation
from keras_sam.landscape import _hessian as hessians
from keras_sam.landscape import _lanczos
from keras_sam.landscape import _results

# Beyond these standard deviations there is 1e-6 of a Gaussian.
_TAIL = 5.0


@dataclasses.dataclass(frozen=True, eq=False)
class SpectralDensity(_results.Result):
    """What `spectral_density` returns.

    Attributes:
        grid: Float64 array of shape (points,), eigenvalues.
        density: Array like it, the share of eigenvalues per unit of `grid`.
        nodes: Float64 array of shape (at most draws * iterations,), Ritz
            values, draw after draw.
        weights: Array like it, the share of eigenvalues that each stands for;
            they add up to 1.
        sigma: Float, the standard deviation of the Gaussians.
        products: Int, how many products it took.
        complete: Bool, False if interrupted.
    """

    grid: np.ndarray
    density: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    sigma: float
    products: int
    complete: bool


def spectral_density(
    landscape,
    *,
    params=None,
    draws=4,
    iterations=64,
    sigma=None,
    grid=None,
    seed=0,
    progress=False,
):
    """Returns the density of the eigenvalues of the Hessian.

    By stochastic Lanczos quadrature: from each random vector, the Ritz values
    of Lanczos's method and the squares of the first components of the
    tridiagonal matrix's eigenvectors, smoothed by Gaussians. The ends of the
    spectrum come out well, and moments; not what is finer than the nodes.
    Memory: `iterations` float64 copies of the weights at most, and a few more.

    Args:
        landscape, params, progress: As those of `spectrum.eigenvalues`.
        draws: Int, at least 1: random vectors.
        iterations: Int, at least 1: products for each at most.
        sigma: Float above 0, the standard deviation of the Gaussians; None for
            a hundredth of the range of the nodes (of their magnitude, where
            all are the same; of 1, where all are zero).
        grid: Array of rising floats, where to evaluate the density; None for
            four points a sigma, over all that is within 5 sigma of a node. On
            such a grid the density integrates to 1, by the trapezoidal rule;
            on yours, to what it covers.
        seed: Int, of the vectors.

    Returns:
        `SpectralDensity`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a product is not finite.

    Reference: Ghorbani, Krishnan and Xiao, arXiv:1901.10159, for the use on
    networks.
    """
    draws = _validation.integer("draws", draws, 1)
    iterations = _validation.integer("iterations", iterations, 1)
    sigma = sigma if sigma is None else _validation.positive("sigma", sigma)
    grid = grid if grid is None else _grid(grid)
    random = np.random.default_rng(_validation.integer("seed", seed, 0))
    hessian = hessians.Hessian(landscape, params)
    total = draws * min(iterations, hessian.size)
    found = []
    with _results.Work(progress, total, "product") as work:
        while len(found) < draws:
            start = hessians.signs(random, (1, hessian.size))
            space = _lanczos.Lanczos(hessian, start, iterations)
            while space.grow():
                work.advance()
            found.append(_quadrature(space))
    # Of less than one draw, what there is.
    found = found or [_quadrature(space)]
    nodes = np.concatenate([values for values, _ in found])
    weights = np.concatenate([shares for _, shares in found]) / len(found)
    sigma = sigma or _width(nodes) / 100
    if grid is None:
        low, high = nodes.min() - _TAIL * sigma, nodes.max() + _TAIL * sigma
        grid = np.linspace(low, high, 1 + math.ceil(4 * (high - low) / sigma))
    density = np.zeros_like(grid)
    for node, weight in zip(nodes, weights, strict=True):
        density += weight * np.exp(-(((grid - node) / sigma) ** 2) / 2)
    density /= sigma * math.sqrt(2 * math.pi)
    return SpectralDensity(
        grid, density, nodes, weights, sigma, hessian.products, work.complete
    )


def _quadrature(space):
    """Returns the Ritz values, and the share of the start that each has."""
    values, coordinates, _ = space.ritz()
    return values, coordinates[0] ** 2


def _width(nodes):
    """Returns the range of nodes, or what there is in its place."""
    magnitude = float(np.max(np.abs(nodes)))
    width = float(np.ptp(nodes))
    # Rounding errors are no range.
    return width if width > 1e-9 * magnitude else magnitude or 1.0


def _grid(grid):
    grid = np.asarray(grid, "float64")
    rising = grid.ndim == 1 and grid.size and np.all(np.diff(grid) > 0)
    if not rising or not np.isfinite(grid).all():
        raise ValueError(
            "`grid` must be an array of finite rising numbers. "
            f"Received: {grid!r}"
        )
    return grid
