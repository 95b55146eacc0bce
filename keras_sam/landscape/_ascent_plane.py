"""The loss over the plane of a climb: where one step and several steps end."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _displacements
from keras_sam.landscape import _landscape
from keras_sam.landscape import _lines_and_planes
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._landscape import Landscape
from keras_sam.landscape._results import Numbers
from keras_sam.landscape._results import Progress


@dataclasses.dataclass(frozen=True, repr=False)
class AscentPlane(_lines_and_planes.Plane):
    """The result of `ascent_plane`, in units of rho, with w at (0, 0).

    Attributes:
        path: Array, shape (n + 1, 2): the projections of w, z_1, ..., z_n.
        off_plane: Array, shape (n + 1,): the distances of these points from
            their projections, in units of rho. w, z_1 and z_n are in the plane.
        path_losses: Array, shape (n + 1,): the losses at the points themselves.
        distance: Float, `||z_n - w||`.
        length: Float, the sum of the lengths of all steps of the climb.
        one_step: Array, shape (2,): the end of the one step of length rho.
        one_step_loss: Float, the loss there.
        second: "ascent" if the second axis is the part of the way to z_n that
            is orthogonal to the first axis, or "random".
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
    """

    path: np.ndarray
    off_plane: np.ndarray
    path_losses: np.ndarray
    distance: float
    length: float
    one_step: np.ndarray
    one_step_loss: float
    second: str
    rho: float
    ascent_steps: int
    radius: str


def ascent_plane(
    landscape: Landscape,
    rho: float = 0.05,
    *,
    ascent_steps: int = 3,
    radius: str = "split",
    direction: Any = Normalized(),
    perturb: Any = None,
    params: list | None = None,
    batch: int | None = None,
    x: Numbers | None = None,
    y: Numbers | None = None,
    seed: int = 0,
    progress: Progress = False,
) -> AscentPlane:
    """Returns the loss over the plane of a climb, with the climb in it.

    The first axis is along the first step of the climb (with `Normalized`,
    along the gradient). The second axis is along the part of z_n - w that is
    orthogonal to the first, where z_n is the end of the climb. It shows how far
    one step and several steps part. If that part is zero up to rounding, as
    with n = 1 or on a straight climb, the second axis is random, orthogonal to
    the first, and over the perturbed variables.

    The cost is 2 n + 1 gradients at most, and a forward pass for each point of
    the grid.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: As for `SharpnessAwareMinimization`.
        direction: As for `SharpnessAwareMinimization`.
        perturb: As for `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for `landscape.params`.
        batch: Int, the index of one batch: both the climb and the plane are of
            its loss, as a climb in training is. None for all data.
        x: Array of floats, in units of rho; None for 25 from half a rho before
            the climb and the one step to half a rho after them.
        y: Array of floats, along the second axis; None as for `x`.
        seed: Int, of a random second axis.
        progress: See `keras_sam.landscape`. It counts points of the grid.

    Returns:
        An `AscentPlane`.

    Raises:
        IndexError: If there is no such batch.
        ValueError: If an argument is out of range, or the first step has
            length zero, for example because the gradient is zero.
        FloatingPointError: If a loss or gradient of the climb is not finite.
    """
    _landscape.check(landscape)
    method = _climbing.method(
        rho, ascent_steps, radius, direction, perturb=perturb
    )
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    _validation.integer("seed", seed, 0)
    of = landscape if batch is None else _patch(landscape, batch)
    climb = _displacements.Climb(method, of, params, moving)
    step, one_step_loss = climb.one_step()
    axes, second = _displacements.axes(step, climb.end(), params, moving, seed)
    path, off_plane, path_losses = _displacements.project(climb, axes, rho)
    distance, length = climb.travelled.distance_and_length()
    (one_step,), _, _ = _displacements.project(
        [(step, one_step_loss)], axes, rho
    )
    shown = np.vstack([path, one_step])
    x = _around(shown[:, 0]) if x is None else _validation.row("x", x)
    y = _around(shown[:, 1]) if y is None else _validation.row("y", y)
    first_way, second_way = (vectors.scale(rho, axis) for axis in axes)
    losses, complete = _lines_and_planes.grid(
        of, params, [second_way, first_way], [y, x], progress
    )
    return AscentPlane(
        x=x,
        y=y,
        losses=losses,
        lengths=np.array([rho, rho], float),
        complete=complete,
        path=path,
        off_plane=off_plane,
        path_losses=path_losses,
        distance=distance,
        length=length,
        one_step=one_step,
        one_step_loss=one_step_loss,
        second=second,
        rho=float(rho),
        ascent_steps=int(ascent_steps),
        radius=radius,
    )


def _patch(landscape: Landscape, index: int) -> Patch:
    """Returns the batch of an index.

    Raises:
        IndexError: If there is no such batch.
    """
    _validation.integer("batch", index, 0)
    for patch in itertools.islice(landscape.batches(), index, None):
        return patch
    raise IndexError(
        "`batch` must be the index of a batch. Received: "
        f"{index}, of {landscape.number}"
    )


def _around(values: np.ndarray) -> np.ndarray:
    return np.linspace(values.min() - 0.5, values.max() + 0.5, 25)
