"""What `compile` gives a model: its losses, its metrics, its arguments."""

import contextlib
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


def has_loss_built(model: keras.Model) -> bool:
    """Whether the losses of a compiled model have their variables.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`, which is None without
    losses.
    """
    loss = KERAS.private(model, "_compile_loss")
    return loss is None or loss.built


def compute_loss(model: keras.Model, **arguments: Any) -> Any:
    """Returns the loss of a batch, whatever arguments an override takes.

    Where Keras sees that a batch has no examples, its loss has no elements.
    Here that is a zero: all replicas must send tensors of the same shape.

    Read in Keras 3.14 and 3.15: `Trainer._compute_loss`, and `reduce_values` of
    `keras.src.losses.loss`.

    Args:
        model: Compiled model.
        **arguments: Those of `compute_loss`. `training` is left out where an
            override has no such argument.
    """
    loss = KERAS.private(model, "_compute_loss")(**arguments)
    return keras.ops.sum(loss) if loss.shape == (0,) else loss


def compiled_losses(model: keras.Model) -> list[keras.losses.Loss] | None:
    """Returns the losses that a model is compiled with, one for each output.

    The result is None before the first loss is computed.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`,
    `CompileLoss._flat_losses`, named tuples with a field `loss`.
    """
    compiled = KERAS.private(model, "_compile_loss")
    if compiled is None:
        return []
    if not compiled.built:
        return None
    return [item.loss for item in KERAS.private(compiled, "_flat_losses")]


@contextlib.contextmanager
def replaced_losses(
    model: keras.Model, losses: Sequence[keras.losses.Loss]
) -> Iterator[None]:
    """Lets a model use other losses than the `compiled_losses`.

    Read in Keras 3.14 and 3.15: see `compiled_losses`.

    Args:
        model: Compiled model.
        losses: A loss in place of each of `compiled_losses`, if there are any.
    """
    if not compiled_losses(model):
        yield
        return
    compiled = KERAS.private(model, "_compile_loss")
    items = KERAS.private(compiled, "_flat_losses")
    compiled._flat_losses = [
        item._replace(loss=loss)
        for item, loss in zip(items, losses, strict=True)
    ]
    try:
        yield
    finally:
        compiled._flat_losses = items


def loss_tracker(model: keras.Model) -> keras.metrics.Mean:
    """Returns the metric that averages the loss of a compiled model.

    Read in Keras 3.14 and 3.15: `Trainer._loss_tracker`.
    """
    return KERAS.private(model, "_loss_tracker")


def share_compiled(model: keras.Model, other: keras.Model) -> None:
    """Lets a compiled model use the losses and metrics of another one.

    Read in Keras 3.14 and 3.15: `Trainer._compile_loss`,
    `Trainer._compile_metrics`, `Trainer._loss_tracker`.

    Args:
        model: Compiled model.
        other: Compiled model, whose losses and metrics both have afterwards.
    """
    names = ("_compile_loss", "_compile_metrics", "_loss_tracker")
    # No assignment: Keras would list the metrics of the model twice.
    vars(model).update({name: KERAS.private(other, name) for name in names})


def compile_arguments(model: keras.Model) -> dict[str, Any] | None:
    """Returns the arguments of the last `keras.Model.compile`, or None.

    Read in Keras 3.14 and 3.15: `Trainer._compile_config`, a
    `SerializableDict` with the attribute `config`.
    """
    if not model.compiled:
        return None
    return KERAS.private(model, "_compile_config").config
