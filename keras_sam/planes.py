"""The loss along lines and over planes through the weights."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from keras_sam import climbs
from keras_sam import fields
from keras_sam import filters
from keras_sam import results
from keras_sam import sharpness
from keras_sam import vectors
from keras_sam.directions import Normalized


@dataclasses.dataclass(frozen=True)
class Line(results.Result):
    """What `line` returns.

    Attributes:
        coordinates: Array, shape (points,).
        losses: Array, shape (points,); infinite where the loss is not finite,
            NaN where it was not measured.
        complete: Bool, whether all points were measured.
    """

    coordinates: np.ndarray
    losses: np.ndarray
    complete: bool


@dataclasses.dataclass(frozen=True)
class Plane(results.Result):
    """What `plane` returns.

    Attributes:
        x: Array, shape (columns,), coordinates along the first direction.
        y: Array, shape (rows,), along the second.
        losses: Array, shape (rows, columns), as matplotlib's `contour` takes
            it; infinite where the loss is not finite, NaN where it was not
            measured.
        complete: Bool, whether all points were measured.
    """

    x: np.ndarray
    y: np.ndarray
    losses: np.ndarray
    complete: bool


@dataclasses.dataclass(frozen=True)
class AscentPlane(Plane):
    """What `ascent_plane` returns. Coordinates are in units of rho; w is (0, 0).

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


def filter_normalized(landscape, seed=0, params=None):
    """Returns a random direction, each filter as long as that of the weights.

    Of variables without filters (see `filters.axes`) it is zero.

    Args:
        landscape: `Landscape`.
        seed: Int, at least 0.
        params: List of tensors, the weights; None for those of the landscape.

    Returns:
        List of tensors, shaped like the weights.

    Reference: arXiv:1712.09913, section 4; as in the authors' code, biases and
    parameters of batch normalization stay.
    """
    params = landscape.params if params is None else params
    draws = sharpness.gaussian(params, seed, 0)
    axes = filters.axes(landscape.model, landscape.variables)
    return [
        tf.zeros_like(w) if kept is None else _rescaled(draw, w, kept)
        for draw, w, kept in zip(draws, params, axes, strict=True)
    ]


def _rescaled(draw, like, axes):
    others = [i for i in range(len(like.shape)) if i not in axes]

    def lengths(tensor):
        squares = vectors.wide(tensor) ** 2
        return tf.sqrt(tf.reduce_sum(squares, others, keepdims=True))

    factor = lengths(like) * vectors.reciprocal(lengths(draw))
    return tf.cast(factor * vectors.wide(draw), like.dtype)


def line(
    landscape,
    direction=None,
    *,
    coordinates=None,
    params=None,
    seed=0,
    progress=False,
):
    """Returns the loss at `w + coordinate * direction`.

    Args:
        landscape: `Landscape`, or a `Patch` of one with `direction` and
            `params`.
        direction: List of tensors or arrays; None for `filter_normalized`.
        coordinates: Array of floats; None for 51 from -1 to 1.
        params: List of tensors, w; None for those of the landscape.
        seed: Int, of the random direction.
        progress: See `results.Work`; counts points.

    Returns:
        A `Line`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.
    """
    if direction is None:
        direction = filter_normalized(landscape, seed, params)
    params = landscape.params if params is None else params
    x = _coordinates("coordinates", coordinates)
    losses, complete = _grid(
        landscape, params, [_like(params, direction)], [x], progress
    )
    return Line(x, losses, complete)


def plane(
    landscape,
    directions=None,
    *,
    x=None,
    y=None,
    params=None,
    seed=0,
    progress=False,
):
    """Returns the loss at `w + x * first + y * second`.

    Args:
        landscape: As that of `line`.
        directions: Pair of lists of tensors or arrays; None for two of
            `filter_normalized`, with the seed and the next.
        x: Array of floats; None for 51 from -1 to 1.
        y: Likewise.
        params: List of tensors, w; None for those of the landscape.
        seed: Int, of the random directions.
        progress: See `results.Work`; counts points.

    Returns:
        A `Plane`.

    Raises:
        ValueError: If an argument does not fit.
        FloatingPointError: If the loss at w is not finite.

    Reference: arXiv:1712.09913.
    """
    if directions is None:
        directions = [
            filter_normalized(landscape, seed + i, params) for i in range(2)
        ]
    params = landscape.params if params is None else params
    first, second = (_like(params, direction) for direction in directions)
    x, y = _coordinates("x", x), _coordinates("y", y)
    losses, complete = _grid(
        landscape, params, [second, first], [y, x], progress
    )
    return Plane(x, y, losses, complete)


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
    random, orthogonal, and over the perturbed variables.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: As that of `SharpnessAwareMinimization`.
        direction: Likewise.
        perturb: Likewise.
        params: List of tensors, w; None for those of the landscape.
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
    rule = climbs.Rule(rho, ascent_steps, radius, direction, perturb=perturb)
    moving = rule.moving(landscape)
    params = landscape.params if params is None else params
    fields.integer("seed", seed, 0)
    patch = landscape if batch is None else _patch(landscape, batch)
    clean = climbs.point(patch, params)
    (once,), _ = climbs.climb(patch, clean, rule.one_step(), moving, False)
    step = vectors.subtract(once.params, params)
    if not float(vectors.norm(step)):
        raise ValueError(
            "The first step must have a length. Received one of 0: the "
            "gradient is zero"
        )
    path, _ = climbs.climb(patch, clean, rule, moving, slope_at_end=False)
    points = [clean, *(point._replace(grads=[]) for point in path)]
    ways = [vectors.subtract(point.params, params) for point in points]
    e_1 = vectors.unit(step)
    e_2, second = _second(e_1, ways[-1], params, moving, seed)
    located = np.array([_located(way, (e_1, e_2), rho) for way in ways])
    one_step = np.array(_located(step, (e_1, e_2), rho)[:2])
    seen = np.vstack([located[:, :2], one_step])
    x = _around(seen[:, 0]) if x is None else _coordinates("x", x)
    y = _around(seen[:, 1]) if y is None else _coordinates("y", y)
    axes = [vectors.scale(rho, e) for e in (e_2, e_1)]
    losses, complete = _grid(patch, params, axes, [y, x], progress)
    return AscentPlane(
        x,
        y,
        losses,
        complete,
        located[:, :2],
        located[:, 2],
        np.array([float(point.loss) for point in points]),
        one_step,
        float(once.loss),
        second,
        float(rho),
        int(ascent_steps),
        radius,
    )


def _patch(landscape, index):
    fields.integer("batch", index, 0)
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
    rounding = max(np.finfo(w.dtype.as_numpy_dtype).eps for w in params)
    size = float(vectors.norm(params)) + float(vectors.norm(way))
    if float(vectors.norm(rest)) > 4 * rounding * size:
        return vectors.unit(rest), "ascent"
    draw = sharpness.gaussian(moving.pick(params), seed, 0)
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


def _coordinates(name, values):
    if values is None:
        return np.linspace(-1.0, 1.0, 51)
    values = np.asarray(values, "float64")
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(
            f"`{name}` must be a row of finite numbers. Received: {values!r}"
        )
    return values


def _like(params, direction):
    """Returns a direction as tensors of the types of the weights."""
    shapes = [tuple(w.shape) for w in params]
    found = [np.shape(d) for d in direction]
    if found != shapes:
        raise ValueError(
            "A direction must be a list shaped like the weights, "
            f"{shapes}. Received: {found}"
        )
    return [
        tf.cast(tf.convert_to_tensor(d), w.dtype)
        for d, w in zip(direction, params, strict=True)
    ]


def _grid(patch, params, directions, coordinates, progress):
    """Returns the losses at all combinations of coordinates, and if all are.

    Raises:
        FloatingPointError: If the loss at params is not finite.
    """
    patch.loss(params)
    losses = np.full([len(values) for values in coordinates], np.nan)
    with results.Work(progress, losses.size, "point") as work:
        for index in np.ndindex(losses.shape):
            at = params
            for values, i, way in zip(
                coordinates, index, directions, strict=True
            ):
                at = vectors.add(at, vectors.scale(float(values[i]), way))
            try:
                losses[index] = float(patch.loss(at))
            except FloatingPointError:
                losses[index] = np.inf
            work.advance()
    return losses, work.complete
