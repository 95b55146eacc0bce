"""The methods of a wrapper that prepare data as its inner model does."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._evaluation import preparation


def _like(method: Callable) -> Callable[[Callable], Callable]:
    """Returns a decorator that gives a method the signature of Keras's."""

    def decorate(own: Any) -> Any:
        own.__signature__ = inspect.signature(method)
        return own

    return decorate


class Preparing(keras.Model):
    """A wrapper that prepares data where its inner model would do so.

    A method of the wrapper prepares data if the same method of the inner model
    does. Otherwise the data go on to Keras as they are.
    """

    # The inner model. A subclass sets it.
    model: keras.Model

    @property
    def preprocess_samples(self) -> Callable:
        """The method by which the inner model prepares data, if it does."""
        prepare = preparation.preparer(self.model)
        if prepare is None:
            raise AttributeError("The inner model does not prepare its data")
        return prepare

    @_like(keras.Model.fit)
    def fit(self, *args: Any, **kwargs: Any) -> keras.callbacks.History:
        """Trains, as `keras.Model.fit` does, under any strategy."""
        given = _given(self, "fit", preparation.prepare_fit, args, kwargs)
        return super().fit(*given.args[1:], **given.kwargs)

    @_like(keras.Model.evaluate)
    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Returns loss and metrics, as `keras.Model.evaluate` does."""
        # `fit` has prepared the data that it validates on.
        if not _keras_internals.validates(kwargs):
            given = _given(
                self, "evaluate", preparation.prepare_data, args, kwargs
            )
            args, kwargs = given.args[1:], given.kwargs
        return super().evaluate(*args, **kwargs)

    @_like(keras.Model.predict)
    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Returns outputs, as `keras.Model.predict` does."""
        given = _given(self, "predict", preparation.prepare_data, args, kwargs)
        return super().predict(*given.args[1:], **given.kwargs)

    @_like(keras.Model.train_on_batch)
    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Trains on one batch, as `keras.Model.train_on_batch` does."""
        given = _given(
            self, "train_on_batch", preparation.prepare_batch, args, kwargs
        )
        return super().train_on_batch(*given.args[1:], **given.kwargs)

    @_like(keras.Model.test_on_batch)
    def test_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates on one batch, as `keras.Model.test_on_batch` does."""
        given = _given(
            self, "test_on_batch", preparation.prepare_batch, args, kwargs
        )
        return super().test_on_batch(*given.args[1:], **given.kwargs)

    @_like(keras.Model.predict_on_batch)
    def predict_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        """Returns outputs, as `keras.Model.predict_on_batch` does."""
        given = _given(
            self, "predict_on_batch", preparation.prepare_batch, args, kwargs
        )
        return super().predict_on_batch(*given.args[1:], **given.kwargs)


def _given(
    sam: Preparing, method: str, change: Callable, args: tuple, kwargs: dict
) -> inspect.BoundArguments:
    """Returns the arguments of a method, with data that are prepared.

    Args:
        sam: The wrapper.
        method: String, the name of the method.
        change: Function of a preparer and a dict of arguments. It replaces the
            data among them.
        args, kwargs: The arguments, without `sam`.
    """
    signature = inspect.signature(getattr(keras.Model, method))
    given = signature.bind(sam, *args, **kwargs)
    prepare = preparation.preparer(sam.model, method)
    if prepare is not None:
        change(prepare, given.arguments)
    return given
