"""The density of the eigenvalues of the Hessian."""

import dataclasses
import math
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam.landscape import _hessian as hessians
from keras_sam.landscape import _lanczos
from keras_sam.landscape import _results
from keras_sam.landscape._hessian import Curved

# A Gaussian has about 1e-6 of its area beyond 5 standard deviations.
_TAIL = 5.0


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SpectralDensity(_results.Result):
    """The result of `spectral_density`.

    Attributes:
        grid: Float64 array of shape (points,), eigenvalues.
        density: Array like `grid`, the share of eigenvalues per unit of `grid`.
        nodes: Float64 array of shape (at most draws * iterations,), Ritz
            values, draw after draw.
        weights: Array like `nodes`, the share of eigenvalues that each node
            stands for. The weights add up to 1.
        sigma: Float, the standard deviation of the Gaussians.
        products: Int, the number of products computed.
        complete: Bool, False if interrupted.
    """

    grid: np.ndarray
    density: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    sigma: float
    products: int
    complete: bool

    def _more(self) -> dict[str, Any]:
        return _results.span("eigenvalue", self.nodes)


def spectral_density(
    landscape: Curved,
    *,
    params: list | None = None,
    draws: int = 4,
    iterations: int = 64,
    sigma: float | None = None,
    grid: _results.Numbers | None = None,
    seed: int = 0,
    progress: _results.Progress = False,
) -> SpectralDensity:
    """Returns the density of the eigenvalues of the Hessian.

    The method is stochastic Lanczos quadrature. Lanczos's method, from each
    random vector, gives nodes, the Ritz values, and weights, the squares of the
    first components of the eigenvectors of the tridiagonal matrix. Gaussians
    smooth the nodes. The ends and the moments of the spectrum are accurate;
    details finer than the nodes are not. Memory: at most `iterations` float64
    copies of the weights, and a few more.

    Args:
        landscape: As for `eigenvalues`.
        params: As for `eigenvalues`.
        progress: As for `eigenvalues`.
        draws: Int, at least 1: the number of random vectors.
        iterations: Int, at least 1: the largest number of products for each
            vector.
        sigma: Float above 0, the standard deviation of the Gaussians; None for
            a hundredth of the range of the nodes. If all nodes are equal, it
            is a hundredth of their magnitude; if all are zero, of 1.
        grid: Array of rising floats, where to evaluate the density; None for
            four points a sigma, from 5 sigma below the lowest node to 5 sigma
            above the highest. On that grid the density integrates to 1 by the
            trapezoidal rule. On another grid it integrates to the share of
            eigenvalues that the grid covers.
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
    points = None
    if grid is not None:
        points = _validation.row("grid", grid, rising=True)
    random = np.random.default_rng(_validation.integer("seed", seed, 0))
    hessian = hessians.Hessian(landscape, params)
    total = draws * min(iterations, hessian.size)
    quadratures = []
    with _results.Work(progress, total, "product") as work:
        while len(quadratures) < draws:
            start = hessians.signs(random, (1, hessian.size))
            space = _lanczos.Lanczos(hessian, start, iterations)
            while space.grow():
                work.advance()
            quadratures.append(_quadrature(space))
    # An interruption in the first draw leaves a part of it.
    quadratures = quadratures or [_quadrature(space)]
    nodes = np.concatenate([values for values, _ in quadratures])
    weights = np.concatenate([shares for _, shares in quadratures])
    weights /= len(quadratures)
    sigma = sigma or _width(nodes) / 100
    points = _grid(nodes, sigma) if points is None else points
    return SpectralDensity(
        grid=points,
        density=_smoothed(nodes, weights, sigma, points),
        nodes=nodes,
        weights=weights,
        sigma=sigma,
        products=hessian.products,
        complete=work.complete,
    )


def _quadrature(space: _lanczos.Lanczos) -> tuple[np.ndarray, np.ndarray]:
    """Returns the Ritz values, and the share of the start along each vector."""
    values, coordinates, _ = space.ritz()
    return values, coordinates[0] ** 2


def _width(nodes: np.ndarray) -> float:
    """Returns the range of nodes, their magnitude if it is zero, or else 1."""
    magnitude = float(np.max(np.abs(nodes)))
    width = float(np.ptp(nodes))
    # A range of the size of rounding errors counts as zero.
    return width if width > 1e-9 * magnitude else magnitude or 1.0


def _grid(nodes: np.ndarray, sigma: float) -> np.ndarray:
    """Returns a grid that covers Gaussians at nodes."""
    low, high = nodes.min() - _TAIL * sigma, nodes.max() + _TAIL * sigma
    return np.linspace(low, high, 1 + math.ceil(4 * (high - low) / sigma))


def _smoothed(
    nodes: np.ndarray, weights: np.ndarray, sigma: float, grid: np.ndarray
) -> np.ndarray:
    """Returns the sum of Gaussians at nodes, on a grid."""
    density = np.zeros_like(grid)
    for node, weight in zip(nodes, weights, strict=True):
        density += weight * np.exp(-(((grid - node) / sigma) ** 2) / 2)
    return density / (sigma * math.sqrt(2 * math.pi))
