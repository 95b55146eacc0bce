"""How much the loss rises near the weights at worst."""

import dataclasses
import warnings
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.selection import Selection
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _landscape
from keras_sam.landscape import _results
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._landscape import Landscape
from keras_sam.landscape._record import Travelled


@dataclasses.dataclass(frozen=True, repr=False)
class Sharpness(_results.Result):
    """The result of `sharpness`. Means over batches are weighted by size.

    Attributes:
        value: Float, the mean over batches of `max_i L(z_i) - L(w)`. It is
            never negative, since w is among the z_i.
        one_step: Float, the same mean with the one step of length rho as the
            climb.
        gap: Float, `value - one_step`.
        loss: Float, the mean of L(w).
        stuck: Int, the number of batches whose gradient at w is zero. No climb
            starts there: such a batch counts as 0.
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
        sizes: Array of int, shape (batches,).
        losses: Array, shape (batches, n + 1): L(w), L(z_1), ..., L(z_n).
        one_step_losses: Array, shape (batches,): L after the one step.
        distance: Array, shape (batches,): `||z_n - w||`, in the metric in which
            rho is measured: with `Adaptive` that at w, else the Euclidean one.
        length: Array, shape (batches,): the sum of the lengths of the n steps
            in that metric, each measured after the projection, if any.
        complete: Bool, whether the result holds all batches.
    """

    value: float
    one_step: float
    gap: float
    loss: float
    stuck: int
    rho: float
    ascent_steps: int
    radius: str
    sizes: np.ndarray
    losses: np.ndarray
    one_step_losses: np.ndarray
    distance: np.ndarray
    length: np.ndarray
    complete: bool


class Stuck(ValueError):
    """No climb starts, since the gradient is zero."""


def sharpness(
    landscape: Landscape,
    rho: float = 0.05,
    *,
    ascent_steps: int = 20,
    radius: str = "split",
    fraction: float = 0.1,
    direction: Any = Normalized(),
    perturb: Any = None,
    params: list | None = None,
    progress: _results.Progress = False,
) -> Sharpness:
    """Returns the n-step worst-case sharpness, batch by batch.

    Each batch climbs on its own: with `batch_size=m` in `Landscape`, the result
    is m-sharpness. The worst loss is the largest loss at a point of the climb,
    a lower bound of the maximum. The cost is n gradients and at most two
    forward passes a batch.

    The `direction` defines the neighbourhood. With `Normalized` it is the
    Euclidean ball of radius rho. With `Adaptive` it is the ellipsoid
    `||(z - w) / (|w| + eta)|| <= rho`. The metric is that at w throughout (in
    training: at the current point), and projections are to the nearest point in
    this metric. Other directions take their own steps, and "projected" keeps
    the points in the Euclidean ball.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: "split": steps of length rho / n; "full": steps of length rho,
            so that the climb ends up to n rho away; "projected": steps of
            length `fraction * rho`, each followed by a projection onto the
            ball; or "matched": steps of length 2 rho / (n + 1). "projected"
            finds the most where n is several times `1 / fraction`, as with
            n = 20.
        fraction: Float in (0, 1]. Only "projected" uses it. There is a warning
            where n steps cannot reach rho, since n times `fraction` is below 1.
        direction: As for `SharpnessAwareMinimization`. A direction with a
            memory starts each batch from its first memory.
        perturb: As for `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for `landscape.params`.
        progress: See `keras_sam.landscape`. It counts batches.

    Returns:
        A `Sharpness`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, or the gradients of all
            batches are zero.
        FloatingPointError: If a loss or gradient is not finite.

    Reference: SAM, arXiv:2010.01412, equation 1; n projected steps as in
    arXiv:2206.06232, whose code takes 20 steps of 0.1 rho, without the maximum;
    adaptive: ASAM, arXiv:2102.11600.
    """
    _landscape.check(landscape)
    method = _climbing.method(
        rho, ascent_steps, radius, direction, perturb=perturb
    )
    _validation.positive("fraction", fraction)
    _validation.number("fraction", fraction, 0.0, 1.0)
    _warn_of_short_climbs(method, fraction)
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    rows = []
    with _results.Work(progress, landscape.number, "batch") as work:
        for patch in landscape.batches():
            row = _climb(method, fraction, patch, params, moving)
            rows.append((patch.size, *row))
            work.advance()
    sizes, losses, one_step_losses, stuck, distance, length = map(
        np.array, zip(*rows, strict=True)
    )
    _check_not_stuck(stuck)
    clean = losses[:, 0]
    rises = losses.max(axis=1) - clean
    value = float(_results.mean(rises, sizes))
    one_step_rises = np.maximum(one_step_losses - clean, 0.0)
    one_step = float(_results.mean(one_step_rises, sizes))
    return Sharpness(
        value=value,
        one_step=one_step,
        gap=value - one_step,
        loss=float(_results.mean(clean, sizes)),
        stuck=int(stuck.sum()),
        rho=float(rho),
        ascent_steps=int(ascent_steps),
        radius=radius,
        sizes=sizes,
        losses=losses,
        one_step_losses=one_step_losses,
        distance=distance,
        length=length,
        complete=work.complete,
    )


def _climb(
    method: Method,
    fraction: float,
    patch: Patch,
    params: list,
    moving: Selection,
) -> tuple[list[float], float, bool, float, float]:
    """Climbs on a batch.

    Returns:
        The losses of the climb, the loss after one step, whether no climb
        starts, and the distance and the length of the climb.
    """
    method, at, params = _climbing.own_coordinates(method, patch, params)
    projected = method.radius == "projected"
    climbing = _climbing.shortened(method, fraction) if projected else method
    clean = at.evaluate(params)
    path = _climbing.climb(climbing, at, clean, moving, gradient_at_end=False)
    travelled = Travelled(clean.params)
    losses = [
        float(clean.loss),
        *(float(point.loss) for point in travelled.along(path)),
    ]
    stuck = float(vectors.norm(moving.pick(clean.grads))) == 0.0
    if _first_step_is_whole(method, fraction):
        return losses, losses[1], stuck, *travelled.distance_and_length()
    (end,) = _climbing.climb(
        _climbing.one_step(method), at, clean, moving, gradient_at_end=False
    )
    return losses, float(end.loss), stuck, *travelled.distance_and_length()


def _first_step_is_whole(method: Method, fraction: float) -> bool:
    """Whether the first step of the climb has length rho."""
    if method.radius == "projected":
        return fraction == 1.0
    return method.ascent_steps == 1 or method.radius == "full"


def _warn_of_short_climbs(method: Method, fraction: float) -> None:
    steps = method.ascent_steps
    if method.radius == "projected" and steps * fraction < 1.0:
        warnings.warn(
            f"`ascent_steps={steps}` steps of `fraction={fraction:g}` times "
            f"rho end at most {steps * fraction:g} rho away, so they find less "
            "than rho allows. Use more steps, a larger `fraction`, or "
            '`radius="split"`',
            stacklevel=3,
        )


def _check_not_stuck(stuck: np.ndarray) -> None:
    if stuck.all():
        raise Stuck(
            "The gradient at the weights must not be zero, or no climb starts "
            "there (`average_sharpness` needs none). Received: zero on all "
            f"{len(stuck)} batches"
        )
