"""The plane of a climb: where one step and several part."""

import collections
import dataclasses
import itertools

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm import draws
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _lines_and_planes

# Binary digits after the point; NumPy has no bfloat16.
_DIGITS = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}


@dataclasses.dataclass(frozen=True)
class AscentPlane(_lines_and_planes.Plane):
    """What `ascent_plane` returns, in units of rho, with w at (0, 0).

    Attributes:
        path: Array, shape (n + 1, 2): where w, z_1, ..., z_n project to.
        off_plane: Array, shape (n + 1,): how far they are from there, in units
            of rho. w, z_1 and z_n are in the plane.
        path_losses: Array, shape (n + 1,): the losses at the points themselves.
        one_step: Array, shape (2,): the end of the one step of length rho.
        one_step_loss: Float, the loss there.
        second: "ascent" if the second axis is what z_n adds to the first, or
            "random".
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
    """

    path: np.ndarray
    off_plane: np.ndarray
    path_losses: np.ndarray
    one_step: np.ndarray
    one_step_loss: float
    second: str
    rho: float
    ascent_steps: int
    radius: str


def ascent_plane(
    landscape,
    rho=0.05,
    *,
    ascent_steps=3,
    radius="split",
    direction=Normalized(),
    perturb=None,
    params=None,
    batch=None,
    x=None,
    y=None,
    seed=0,
    progress=False,
):
    """Returns the loss over the plane of a climb, with the climb in it.

    The first axis is along the first step of the climb (with `Normalized`,
    along the gradient), the second along what is orthogonal to it of the way to
    the end of the climb, z_n: where one step and several part. Where there is
    nothing, as with n = 1 or on a straight climb (up to rounding), it is
    random, orthogonal, and over the perturbed variables. It costs 2 n + 1
    gradients at most, and a forward pass for each point of the grid.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: As that of `SharpnessAwareMinimization`.
        direction: Likewise.
        perturb: Likewise.
        params: List of tensors or arrays, w; None for those of the landscape.
        batch: Int, the index of the batch that both the climb and the plane
            are of, as the climbs of training are; None for all data.
        x: Array of floats, in units of rho; None for 25 from half a rho before
            what is to be seen to half a rho after it.
        y: Likewise.
        seed: Int, of a random second axis.
        progress: See `results.Work`; counts points of the grid.

    Returns:
        An `AscentPlane`.

    Raises:
        IndexError: If there is no such batch.
        ValueError: If an argument is out of range, or the first step has no
            length, as where the gradient is zero.
        FloatingPointError: If a loss or gradient of the climb is not finite.
    """
    method = _climbing.method(
        rho, ascent_steps, radius, direction, perturb=perturb
    )
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    _validation.integer("seed", seed, 0)
    patch = landscape if batch is None else _patch(landscape, batch)
    clean = patch.evaluate(params)
    (once,) = _climbing.climb(
        _climbing.one_step(method), patch, clean, moving, gradient_at_end=False
    )
    step = vectors.subtract(once.params, params)
    if not float(vectors.norm(step)):
        raise ValueError(
            "The first step must have a length. Received one of 0: the "
            "gradient is zero"
        )

    def walk():
        path = _climbing.climb(
            method, patch, clean, moving, gradient_at_end=False
        )
        for point in itertools.chain([clean], path):
            yield vectors.subtract(point.params, params), float(point.loss)

    # Twice, rather than to keep all points.
    ((way, _),) = collections.deque(walk(), maxlen=1)
    e_1 = vectors.unit(step)
    e_2, second = _second(e_1, way, params, moving, seed)
    met = [(*_located(way, (e_1, e_2), rho), loss) for way, loss in walk()]
    met = np.array(met)
    one_step = np.array(_located(step, (e_1, e_2), rho)[:2])
    seen = np.vstack([met[:, :2], one_step])
    x = _around(seen[:, 0]) if x is None else _lines_and_planes.row("x", x)
    y = _around(seen[:, 1]) if y is None else _lines_and_planes.row("y", y)
    axes = [vectors.scale(rho, e) for e in (e_2, e_1)]
    losses, complete = _lines_and_planes.grid(
        patch, params, axes, [y, x], progress
    )
    return AscentPlane(
        x,
        y,
        losses,
        complete,
        met[:, :2],
        met[:, 2],
        met[:, 3],
        one_step,
        float(once.loss),
        second,
        float(rho),
        int(ascent_steps),
        radius,
    )


def _patch(landscape, index):
    _validation.integer("batch", index, 0)
    for patch in itertools.islice(landscape.batches(), index, None):
        return patch
    raise IndexError(
        "`batch` must be the index of a batch. Received: "
        f"{index}, of {landscape.number}"
    )


def _second(e_1, way, params, moving, seed):
    """Returns the second axis, and where it is from."""
    # Twice is enough, and once is not where the way is nearly along e_1.
    rest = vectors.orthogonal(vectors.orthogonal(way, e_1), e_1)
    rounding = max(2.0 ** -_DIGITS[w.dtype.name] for w in params)
    size = float(vectors.norm(params)) + float(vectors.norm(way))
    if float(vectors.norm(rest)) > 4 * rounding * size:
        return vectors.unit(rest), "ascent"
    draw = draws.normals(moving.pick(params), seed)
    draw = moving.put(vectors.scale(0.0, params), draw)
    return vectors.unit(vectors.orthogonal(draw, e_1)), "random"


def _located(way, axes, rho):
    """Returns the coordinates of a way, and its distance from the plane."""
    x, y = (float(vectors.dot(way, axis)) for axis in axes)
    for axis, coordinate in zip(axes, (x, y), strict=True):
        way = vectors.subtract(way, vectors.scale(coordinate, axis))
    return x / rho, y / rho, float(vectors.norm(way)) / rho


def _around(values):
    return np.linspace(values.min() - 0.5, values.max() + 0.5, 25)
