"""How climbs of several radii behave, from the same weights."""

import dataclasses
import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_sam import _text
from keras_sam import vectors
from keras_sam._algorithm.method import Method
from keras_sam._algorithm.selection import Selection
from keras_sam._training import trainer
from keras_sam.landscape import _climbing
from keras_sam.landscape import _landscape
from keras_sam.landscape import _record
from keras_sam.landscape import _results
from keras_sam.landscape._batch import Patch
from keras_sam.landscape._landscape import Landscape

# The arguments of the wrapper that say where a climb goes, but for rho.
_CLIMB = ("ascent_steps", "radius", "direction", "perturb")
# The arguments that make it a climb from another point, or on other examples.
_OTHER = ("start", "ascent_samples", "descent_samples", "num_batch_splits")


@dataclasses.dataclass(frozen=True, repr=False)
class Climbs(_results.Result):
    """The result of `climbs`. `print` shows the means as a table.

    Products and lengths are over all trained variables, perturbed or not. A
    cosine with a vector of length zero is 0. All numbers of a climb are NaN
    where it meets a loss or a gradient that is not finite.

    Attributes:
        rhos: Array, shape (radii,).
        losses: Array, shape (batches,): L(w).
        rises: Array, shape (batches, radii): L(z_n) - L(w).
        predictions: Array, shape (batches, radii): the product of g_0 and
            z_n - w, the rise to first order. With one step of `Normalized` it
            is `rho ||g_0||`, if all variables are perturbed.
        cosines: Array, shape (batches, radii): of g_0 and g_n.
        distances: Array, shape (batches, radii): `||z_n - w||`.
        sizes: Array of int, shape (batches,).
        ascent_steps: Int, n.
        radius: String.
        complete: Bool, whether the result holds all batches.
    """

    rhos: np.ndarray
    losses: np.ndarray
    rises: np.ndarray
    predictions: np.ndarray
    cosines: np.ndarray
    distances: np.ndarray
    sizes: np.ndarray
    ascent_steps: int
    radius: str
    complete: bool

    def _more(self) -> dict[str, Any]:
        mean = self.mean()
        return {
            "rhos": self.rhos,
            "rise": mean["rise"],
            "cosine": mean["cosine"],
        }

    def __str__(self) -> str:
        """Returns a table: a line for each radius, the means over batches."""
        columns = self.mean()
        head = ["rho", *(name.replace("_", " ") for name in columns)]
        lines = [
            [f"{number:.4g}" for number in line]
            for line in zip(self.rhos, *columns.values(), strict=True)
        ]
        return _text.table([head, *lines], numbers=True)

    def mean(self) -> dict[str, np.ndarray]:
        """Returns means over batches, each an array of shape (radii,).

        They are weighted by size, and called `rise`, `relative_rise` (the mean
        rise over the mean loss at w), `linear_share` (the mean rise over the
        mean prediction; NaN if that is 0), `cosine` and `distance`.
        """
        rise, prediction, cosine, distance = (
            _results.mean(values, self.sizes)
            for values in (
                self.rises,
                self.predictions,
                self.cosines,
                self.distances,
            )
        )
        loss = np.full_like(rise, _results.mean(self.losses, self.sizes))
        return {
            "rise": rise,
            "relative_rise": _ratios(rise, loss),
            "linear_share": _ratios(rise, prediction),
            "cosine": cosine,
            "distance": distance,
        }


def climbs(
    landscape: Landscape,
    rhos: Sequence[float],
    *,
    params: list | None = None,
    progress: _results.Progress = False,
    **climb: Any,
) -> Climbs:
    """Returns how the climb that training would make behaves at each radius.

        at = landscape.Landscape(sam, x[:512], y[:512], training=True)
        print(landscape.climbs(at, (0.05, 0.1, 0.2, 0.4)))

    Each radius starts from the same weights and gradient. The cost of a batch
    is one gradient, n gradients for each radius, and the passes that the
    direction requests.

    Args:
        landscape: `Landscape`. With `training=True` the climb uses batch
            statistics and dropout, as in training.
        rhos: List of floats above 0, in increasing order.
        params: List of tensors or arrays, w; None for `landscape.params`.
        progress: See `keras_sam.landscape`. It counts batches.
        **climb: `ascent_steps`, `radius`, `direction` and `perturb`, as for
            `SharpnessAwareMinimization`. What is not given is as the model of
            the landscape has it, or by default if the model is not wrapped. A
            direction with a memory starts each climb from its first memory.

    Returns:
        A `Climbs`.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If an argument is out of range, or the model climbs from
            another point, or on a part of the batch.
        FloatingPointError: If the loss or gradient at w is not finite.
    """
    _landscape.check(landscape)
    arguments = _arguments(landscape.model, climb)
    methods = [_climbing.method(rho, **arguments) for rho in _increasing(rhos)]
    moving = _climbing.selected(methods[0], landscape)
    params = landscape.weights(params)
    losses, rows, sizes = [], [], []
    with _results.Work(progress, landscape.number, "batch") as work:
        for patch in landscape.batches():
            loss, of_batch = _climb(methods, patch, params, moving)
            losses.append(loss)
            rows.append(of_batch)
            sizes.append(patch.size)
            work.advance()
    rises, predictions, cosines, distances = np.moveaxis(np.array(rows), 2, 0)
    return Climbs(
        rhos=np.array([method.rho for method in methods]),
        losses=np.array(losses),
        rises=rises,
        predictions=predictions,
        cosines=cosines,
        distances=distances,
        sizes=np.array(sizes),
        ascent_steps=methods[0].ascent_steps,
        radius=methods[0].radius,
        complete=work.complete,
    )


def _climb(
    methods: Sequence[Method],
    patch: Patch,
    params: list,
    moving: Selection,
) -> tuple[float, list[tuple[float, ...]]]:
    """Climbs on a batch with each method.

    Returns:
        L(w), and for each method rise, prediction, cosine and distance.
    """
    clean = patch.evaluate(params)
    loss = float(clean.loss)
    rows: list[tuple[float, ...]] = []
    for method in methods:
        try:
            *_, end = _climbing.climb(method, patch, clean, moving)
        except FloatingPointError:
            rows.append((math.nan,) * 4)
            continue
        away = vectors.subtract(end.params, clean.params)
        rows.append(
            (
                float(end.loss) - loss,
                float(vectors.dot(clean.grads, away)),
                _record.cosine(clean.grads, end.grads),
                float(vectors.norm(away)),
            )
        )
    return loss, rows


def _arguments(model: keras.Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of the climb: those given, else the model's."""
    unknown = sorted(set(given) - set(_CLIMB))
    if unknown:
        raise TypeError(
            "`climbs` takes the arguments of `SharpnessAwareMinimization` that "
            f"say where a climb goes, {list(_CLIMB)}; radii are in `rhos`. "
            f"Received: {unknown}"
        )
    arguments = Method().arguments()
    if isinstance(model, trainer.Trainer):
        arguments = {name: getattr(model, name) for name in arguments}
    others = {
        name: arguments[name]
        for name in _OTHER
        if arguments[name] not in (None, 1)
    }
    if others:
        raise ValueError(
            "`climbs` measures climbs from the weights, on whole batches. "
            "Measure another wrapper of the same model, "
            "`SharpnessAwareMinimization(sam.model, ...)`, without these "
            "arguments; for the parts of `num_batch_splits`, take a landscape "
            f"with their `batch_size`. Received: {others}"
        )
    return {name: arguments[name] for name in _CLIMB} | dict(given)


def _increasing(rhos: Any) -> list[float]:
    """Returns the radii as a list, once they are in order."""
    if not isinstance(rhos, (Sequence, np.ndarray)) or isinstance(rhos, str):
        raise TypeError(
            "`rhos` must be a list of radii, such as (0.05, 0.1, 0.2). "
            f"Received: {rhos!r}"
        )
    radii = list(rhos)
    if not radii or any(b <= a for a, b in zip(radii, radii[1:], strict=False)):
        raise ValueError(
            "`rhos` must be one radius or more, each larger than the one "
            f"before. Received: {rhos!r}"
        )
    return radii


def _ratios(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns a / b, NaN where b is 0."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0)
