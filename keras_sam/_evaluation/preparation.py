"""Data of a model that prepares its own data, as KerasHub's tasks do."""

from collections.abc import Callable
from typing import Any

import keras

from keras_sam._backend import prepared

_NAMES = ("x", "y", "sample_weight")


def preparer(model: keras.Model, method: str = "fit") -> Callable | None:
    """Returns what prepares the data of a method of a model, or None.

    It is `preprocess_samples(x, y, sample_weight)`, which returns a batch as
    `fit` takes it.

    Args:
        model: `keras.Model`.
        method: String, the name of the method.
    """
    owner = introducer(model)
    if owner is None or method not in vars(owner):
        return None
    # The wrapper has the attribute only if its inner model has it.
    return getattr(model, "preprocess_samples", None)


def introducer(model: keras.Model) -> type | None:
    """Returns the class that makes a model prepare its own data, or None.

    It introduces `preprocess_samples`, and has methods `fit`, `evaluate` and
    `predict` that do nothing else than to prepare data by it. It may have
    `train_on_batch` and the like that do so, too.
    """
    kinds = type(model).__mro__
    having = [kind for kind in kinds if "preprocess_samples" in vars(kind)]
    if having and {"fit", "evaluate", "predict"} <= set(vars(having[-1])):
        return having[-1]
    return None


def prepare_fit(prepare: Callable, arguments: dict[str, Any]) -> None:
    """Replaces data among the arguments of `fit` by data sets of batches.

    Args:
        prepare: As `preparer` returns it.
        arguments: Dict of the arguments that were given, by name.

    Raises:
        ValueError: If the data cannot be prepared, or cannot be split.
    """
    split = arguments.pop("validation_split", 0.0)
    later = arguments.pop("validation_data", None)
    size = arguments.pop("validation_batch_size", None)
    size = size or arguments.get("batch_size")
    if later is not None:
        later = keras.utils.unpack_x_y_sample_weight(later)
        later = batches(prepare, *later, batch_size=size)
    elif split:
        examples = prepared.examples(*_popped(arguments))
        first, last = prepared.split(examples, split)
        later = prepared.mapped(prepared.batched(last, size), prepare)
        arguments["x"] = prepared.batched(first, arguments.get("batch_size"))
    arguments["validation_data"] = later
    prepare_data(prepare, arguments)


def prepare_data(prepare: Callable, arguments: dict[str, Any]) -> None:
    """Replaces data among arguments of a loop by one data set of batches."""
    size = arguments.pop("batch_size", None)
    arguments["x"] = batches(prepare, *_popped(arguments), batch_size=size)


def prepare_batch(prepare: Callable, arguments: dict[str, Any]) -> None:
    """Replaces data among the arguments of `train_on_batch` and the like."""
    data = keras.utils.unpack_x_y_sample_weight(prepare(*_popped(arguments)))
    arguments.update(zip(_NAMES, prepared.tensors(data), strict=True))


def batches(
    prepare: Callable,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
) -> Any:
    """Returns a data set of prepared batches, in the order of the data.

    Args:
        prepare: As `preparer` returns it.
        x: Arrays, tensors or lists (of strings, for example), in tuples or
            dicts, or a `tf.data.Dataset` of batches.
        y: Targets, in the same forms, or None.
        sample_weight: Weights of the examples, or None.
        batch_size: Int, or None for 32. A data set has batches already.

    Raises:
        ValueError: If the data have another form, or none.
    """
    if not prepared.has_batches(x):
        x = prepared.batched(prepared.examples(x, y, sample_weight), batch_size)
    elif y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` must be None if `x` is a data set, which "
            f"holds them. Received: y={y!r}, sample_weight={sample_weight!r}"
        )
    return prepared.mapped(x, prepare)


def _popped(arguments: dict[str, Any]) -> list:
    return [arguments.pop(name, None) for name in _NAMES]
