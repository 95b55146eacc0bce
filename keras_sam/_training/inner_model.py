"""Which models can be wrapped, and which methods of their own they have."""

from collections.abc import Callable
from typing import Any

import keras
from keras import tree

from keras_sam._evaluation import preparation

# The wrapper calls these methods of the inner model.
CALLED = (
    "compile",
    "compute_loss",
    "compute_metrics",
    "get_metrics_result",
    "metrics",
    "predict_step",
    "reset_metrics",
    "test_step",
)
# It never calls these. The first ones may prepare data, see `preparation`.
_LOOPS = (
    "fit",
    "evaluate",
    "predict",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
)
_STEPS = (
    "train_step",
    "make_train_function",
    "make_test_function",
    "make_predict_function",
)
# It asks its own layers for these lists.
_LISTS = (
    "losses",
    "non_trainable_variables",
    "trainable_variables",
    "trainable_weights",
)
# Keras's train step calls these on JAX alone. That of the wrapper does not.
_STATELESS = (
    ("compute_loss_and_updates", "stateless_call", "stateless_compute_loss")
    if keras.backend.backend() == "jax"
    else ()
)
# What such a method calls. A model's own method calls the model's, and would
# pass by what a subclass of the wrapper overrides.
_CALLING = {
    "test_step": ("call", "compute_loss", "compute_metrics", "metrics"),
    "predict_step": ("call",),
    "compute_metrics": ("get_metrics_result", "metrics"),
    "get_metrics_result": ("metrics",),
}


def check(model: Any, wrapper: type, library: type) -> None:
    """Checks that a model can be wrapped.

    Args:
        model: The model.
        wrapper: The class of the wrapper. What it overrides, the model may
            override, too.
        library: The class of the library's wrapper.

    Raises:
        TypeError: If the model is no `keras.Model`.
        ValueError: If the model is a wrapper, or if the model or the class of
            the wrapper overrides methods that the wrapper does not call.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a `keras.Model`. Received: {model!r}")
    if isinstance(model, library):
        raise ValueError(
            "`model` must not be wrapped already. Wrap its inner model, "
            f"`sam.model`, instead. Received a {type(model).__name__}"
        )

    def remains(name: str) -> bool:
        """Whether a subclass of the wrapper leaves a method as it is."""
        return _definer(wrapper, name) is _definer(library, name)

    own = [
        name
        for name in (*_LOOPS, *_STEPS, *_LISTS, *_CALLING)
        if overrides(model, name) and remains(name)
    ]
    refused = [
        name
        for name in own
        if not all(map(remains, _CALLING.get(name, ())))
        or name in (*_STEPS, *_LISTS)
        or name in _LOOPS
        and _definer(model, name) is not preparation.introducer(model)
    ]
    if refused:
        raise ValueError(_refusal(model, refused))
    # A subclass with a step of its own may call what it likes.
    if remains("train_step"):
        _check_stateless(model, wrapper, remains)


def _check_stateless(
    model: keras.Model, wrapper: type, remains: Callable[[str], bool]
) -> None:
    names = [
        name
        for name in _STATELESS
        if overrides(model, name) or not remains(name)
    ]
    if names:
        raise ValueError(
            f"Neither `model` nor its wrapper may override {names}: the train "
            "step of the wrapper does not call them. Override `call` or "
            f"`compute_loss` of the model. Received a {type(model).__name__} "
            f"and a {wrapper.__name__}"
        )


def _refusal(model: keras.Model, refused: list[str]) -> str:
    names = ", ".join(f"`{name}`" for name in refused)
    ways = f"Override {names} in a subclass of SharpnessAwareMinimization"
    if set(refused) & set(_LOOPS):
        ways += (
            ". Or leave the data to the caller: prepare them before `fit`, or "
            "in layers of the model"
        )
    if set(refused) & set(_LISTS):
        ways += (
            ". Or set `trainable` of layers or variables, and add losses by "
            "`add_loss` or in `compute_loss`"
        )
    return (
        f"`model` must leave {names} to Keras: the wrapper would not call what "
        f"the model has in place of Keras's. {ways}. Received a "
        f"{type(model).__name__} that overrides {names}"
    )


def overrides(model: keras.Model, name: str) -> bool:
    """Whether a model has a method or property in place of `keras.Model`'s."""
    return _definer(model, name) is not _definer(keras.Model, name)


def _definer(owner: Any, name: str) -> Any:
    """Returns the class, or the model itself, that defines an attribute."""
    if not isinstance(owner, type):
        if name in vars(owner):
            return owner
        owner = type(owner)
    return next(kind for kind in owner.__mro__ if name in vars(kind))


def build(model, input_shape):
    """Creates the variables of a model from the shape of its input.

    Args:
        model: `keras.Model`.
        input_shape: Shape, or a nested structure of shapes.

    Raises:
        ValueError: If the model cannot be called on symbolic inputs.
    """
    inputs = tree.map_shape_structure(keras.KerasTensor, input_shape)
    try:
        model(inputs)
    except Exception as error:  # A model may raise errors of any type.
        raise ValueError(
            f"{model.name!r} (a {type(model).__name__}) cannot be built from "
            "shapes. Call the wrapper on a batch instead, which builds it: "
            f"sam(x[:1]). Received: input_shape={input_shape!r} ({error})"
        ) from error
