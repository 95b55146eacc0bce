"""How much the loss rises near the weights: at worst, and on average."""

import dataclasses

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm.draws import normals
from keras_sam.directions import Normalized
from keras_sam.landscape import _climbing
from keras_sam.landscape import _results


@dataclasses.dataclass(frozen=True)
class Sharpness(_results.Result):
    """What `sharpness` returns. Means over batches are weighted by size.

    Attributes:
        value: Float, the mean over batches of `max_i L(z_i) - L(w)`, w among
            the z_i: never negative.
        one_step: Float, likewise for the one step of length rho.
        gap: Float, `value - one_step`.
        loss: Float, the mean of L(w).
        stuck: Int, the number of batches whose gradient at w is zero, from
            where no climb starts; they count as 0.
        rho: Float.
        ascent_steps: Int, n.
        radius: String.
        sizes: Array of int, shape (batches,).
        losses: Array, shape (batches, n + 1): L(w), L(z_1), ..., L(z_n).
        one_step_losses: Array, shape (batches,): L after the one step.
        complete: Bool, whether all batches are in it.
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
    complete: bool


class Stuck(ValueError):
    """No climb starts, since the gradient is zero."""


def sharpness(
    landscape,
    rho=0.05,
    *,
    ascent_steps=20,
    radius="projected",
    fraction=0.1,
    direction=Normalized(),
    perturb=None,
    params=None,
    progress=False,
):
    """Returns the n-step worst-case sharpness, batch by batch.

    Each batch climbs on its own, so with `batch_size=m` in `Landscape` this is
    m-sharpness. The worst loss is that of all points of the climb, hence a
    lower bound of the maximum. It costs n gradients and at most two forward
    passes a batch.

    The `direction` decides what is near. With `Normalized` it is the Euclidean
    ball of radius rho. With `Adaptive` it is the ellipsoid
    `||(z - w) / (|w| + eta)|| <= rho`, with the metric at w throughout (in
    training: at the current point), in which projections are the nearest
    points too. With others steps are theirs, and "projected" keeps to the
    Euclidean ball.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0.
        ascent_steps: Int, at least 1, n.
        radius: "split": steps of length rho / n; "full": of length rho, so
            that the climb ends up to n rho away; "projected": of length
            `fraction * rho`, and back into the ball; or "matched", of length
            2 rho / (n + 1).
        fraction: Float in (0, 1], used by "projected" alone.
        direction: As that of `SharpnessAwareMinimization`; one with a memory
            has its first one on each batch.
        perturb: As that of `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for those of the landscape.
        progress: See `results.Work`; counts batches.

    Returns:
        A `Sharpness`.

    Raises:
        ValueError: If an argument is out of range, or the gradients of all
            batches are zero.
        FloatingPointError: If a loss or gradient is not finite.

    Reference: SAM, arXiv:2010.01412, equation 1; n projected steps as in
    arXiv:2206.06232, whose code takes 20 steps of 0.1 rho, without the maximum;
    adaptive: ASAM, arXiv:2102.11600.
    """
    method = _climbing.method(
        rho, ascent_steps, radius, direction, perturb=perturb
    )
    _validation.positive("fraction", fraction)
    _validation.number("fraction", fraction, 0.0, 1.0)
    moving = _climbing.selected(method, landscape)
    params = landscape.weights(params)
    rows = []
    with _results.Work(progress, landscape.number, "batch") as work:
        for patch in landscape.batches():
            losses = _climbed(method, fraction, patch, params, moving)
            rows.append((patch.size, *losses))
            work.advance()
    sizes, losses, ones, stuck = map(np.array, zip(*rows, strict=True))
    if stuck.all():
        raise Stuck(
            "The gradient at the weights must not be zero, or no climb starts "
            "there (`average_sharpness` needs none). Received: zero on all "
            f"{len(stuck)} batches"
        )
    value = _results.mean(losses.max(axis=1) - losses[:, 0], sizes)
    one_step = _results.mean(np.maximum(ones - losses[:, 0], 0.0), sizes)
    return Sharpness(
        float(value),
        float(one_step),
        float(value - one_step),
        float(_results.mean(losses[:, 0], sizes)),
        int(stuck.sum()),
        float(rho),
        int(ascent_steps),
        radius,
        sizes,
        losses,
        ones,
        work.complete,
    )


def _climbed(method, fraction, patch, params, moving):
    """Returns the losses on the way, that of one step, and if it is stuck."""
    method, at, params = _climbing.own_coordinates(method, patch, params)
    projected = method.radius == "projected"
    climbing = _climbing.shortened(method, fraction) if projected else method
    clean = at.evaluate(params)
    path = _climbing.climb(climbing, at, clean, moving, gradient_at_end=False)
    losses = [float(clean.loss), *(float(point.loss) for point in path)]
    stuck = float(vectors.norm(moving.pick(clean.grads))) == 0.0
    if _first_is_whole(climbing, fraction):
        return losses, losses[1], stuck
    (once,) = _climbing.climb(
        _climbing.one_step(method), at, clean, moving, gradient_at_end=False
    )
    return losses, float(once.loss), stuck


def _first_is_whole(method, fraction):
    """Whether the first step has length rho."""
    if method.radius == "projected":
        return fraction == 1.0
    return method.ascent_steps == 1 or method.radius == "full"


@dataclasses.dataclass(frozen=True)
class AverageSharpness(_results.Result):
    """What `average_sharpness` returns.

    Attributes:
        value: Float, the mean over draws of `L(w + noise) - L(w)`.
        standard_error: Float, of the value over draws; infinite for one draw.
        loss: Float, L(w).
        rho: Float.
        losses: Array, shape (draws,): L(w + noise).
        complete: Bool, whether all draws are in it.
    """

    value: float
    standard_error: float
    loss: float
    rho: float
    losses: np.ndarray
    complete: bool


def average_sharpness(
    landscape,
    rho=0.05,
    *,
    draws=20,
    adaptive=False,
    perturb=None,
    params=None,
    seed=0,
    progress=False,
):
    """Returns the average-case sharpness, `E L(w + rho e) - L(w)`.

    e is standard normal in every coordinate, so the noise is about
    `rho sqrt(d)` long for d weights: radii are not those of `sharpness`. One
    draw serves all batches and costs a forward pass of the data.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0, the standard deviation of a coordinate.
        draws: Int, at least 1.
        adaptive: Bool, whether the deviation is `rho |w|` instead.
        perturb: As that of `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for those of the landscape.
        seed: Int, at least 0.
        progress: See `results.Work`; counts draws.

    Returns:
        An `AverageSharpness`.

    Raises:
        ValueError: If an argument is out of range.
        FloatingPointError: If a loss is not finite.

    Reference: arXiv:2302.07011, as in the authors' code.
    """
    method = _climbing.method(rho, 1, "full", perturb=perturb)
    moving = _climbing.selected(method, landscape)
    _validation.integer("draws", draws, 1)
    params = landscape.weights(params)
    center = moving.pick(params)
    loss, losses = landscape.loss(params), []
    with _results.Work(progress, draws, "draw") as work:
        for draw in range(draws):
            noise = normals(center, seed, draw)
            if adaptive:
                noise = [e * abs(w) for e, w in zip(noise, center, strict=True)]
            moved = vectors.add(center, vectors.scale(rho, noise))
            losses.append(landscape.loss(moving.put(params, moved)))
            work.advance()
    rises = np.array(losses) - loss
    deviation = np.std(rises, ddof=1) if len(losses) > 1 else np.inf
    return AverageSharpness(
        float(np.mean(rises)),
        float(deviation / np.sqrt(len(losses))),
        loss,
        float(rho),
        np.array(losses),
        work.complete,
    )
