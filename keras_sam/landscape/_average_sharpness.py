"""How much the loss rises near the weights on average, under random noise."""

import dataclasses
from typing import Any

import numpy as np

from keras_sam import _validation
from keras_sam import vectors
from keras_sam._algorithm.draws import normals
from keras_sam.landscape import _climbing
from keras_sam.landscape import _landscape
from keras_sam.landscape import _results
from keras_sam.landscape._landscape import Landscape


@dataclasses.dataclass(frozen=True, repr=False)
class AverageSharpness(_results.Result):
    """The result of `average_sharpness`.

    Attributes:
        value: Float, the mean over draws of `L(w + noise) - L(w)`.
        standard_error: Float, of the value over draws; infinite for one draw.
        loss: Float, L(w).
        rho: Float.
        losses: Array, shape (draws,): L(w + noise).
        lengths: Array, shape (draws,): the Euclidean lengths of the noise.
        complete: Bool, whether the result holds all draws.
    """

    value: float
    standard_error: float
    loss: float
    rho: float
    losses: np.ndarray
    lengths: np.ndarray
    complete: bool

    def _more(self) -> dict[str, Any]:
        return {"length": float(np.mean(self.lengths))}


def average_sharpness(
    landscape: Landscape,
    rho: float = 0.05,
    *,
    draws: int = 20,
    adaptive: bool = False,
    perturb: Any = None,
    params: list | None = None,
    seed: int = 0,
    progress: _results.Progress = False,
) -> AverageSharpness:
    """Returns the average-case sharpness, `E L(w + rho e) - L(w)`.

    e is standard normal in every coordinate. The noise is about `rho sqrt(d)`
    long for d weights, so its rho does not compare with the rho of
    `sharpness`; the result has the lengths. One draw serves all batches and
    costs a forward pass over the data.

    Args:
        landscape: `Landscape`.
        rho: Float, above 0, the standard deviation of a coordinate.
        draws: Int, at least 1.
        adaptive: Bool, whether the standard deviation is `rho |w|` instead.
        perturb: As for `SharpnessAwareMinimization`.
        params: List of tensors or arrays, w; None for `landscape.params`.
        seed: Int, at least 0.
        progress: See `keras_sam.landscape`. It counts draws.

    Returns:
        An `AverageSharpness`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range.
        FloatingPointError: If a loss is not finite.

    Reference: arXiv:2302.07011, as in the authors' code.
    """
    _landscape.check(landscape)
    method = _climbing.method(rho, 1, "full", perturb=perturb)
    moving = _climbing.selected(method, landscape)
    _validation.integer("draws", draws, 1)
    params = landscape.weights(params)
    center = moving.pick(params)
    loss, losses, lengths = landscape.loss(params), [], []
    with _results.Work(progress, draws, "draw") as work:
        for draw in range(draws):
            noise = normals(center, seed, draw)
            if adaptive:
                noise = [e * abs(w) for e, w in zip(noise, center, strict=True)]
            noise = vectors.scale(rho, noise)
            lengths.append(float(vectors.norm(noise)))
            moved = vectors.add(center, noise)
            losses.append(landscape.loss(moving.put(params, moved)))
            work.advance()
    rises = np.array(losses) - loss
    deviation = np.std(rises, ddof=1) if len(losses) > 1 else np.inf
    return AverageSharpness(
        value=float(np.mean(rises)),
        standard_error=float(deviation / np.sqrt(len(losses))),
        loss=loss,
        rho=float(rho),
        losses=np.array(losses),
        lengths=np.array(lengths),
        complete=work.complete,
    )
