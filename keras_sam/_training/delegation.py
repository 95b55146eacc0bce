"""The methods of a wrapper that call those of its inner model, if it has some.

A model may override how it is compiled, how it computes its loss and its
metrics, and how it evaluates or predicts a batch. The wrapper then calls the
model's own method. To this end both are compiled alike, and have their losses
and metrics in common.
"""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_sam import _keras_internals
from keras_sam._training import inner_model
from keras_sam._training import inner_steps


class Delegation(keras.Model):
    """A wrapper that calls the methods that its inner model overrides."""

    # The inner model. A subclass sets it.
    model: keras.Model
    # The arguments of `compile` by name, if the inner model is compiled, too.
    _compiled_by: dict[str, Any] | None = None

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the wrapper, as `keras.Model.compile` does.

        If the inner model has a `compile` of its own, that one gets the
        arguments. Its defaults hold.

        Raises:
            ValueError: If the `compile` of the inner model does not call that
                of Keras.
        """
        model = self.model
        if not any(inner_model.overrides(model, n) for n in inner_model.CALLED):
            super().compile(*args, **kwargs)
            return
        before = _keras_internals.compile_arguments(model)
        model.compile(*args, **kwargs)
        after = _keras_internals.compile_arguments(model)
        if after is None or after is before:
            raise ValueError(
                "The `compile` of `model` must call `keras.Model.compile`. "
                f"Received a {type(model).__name__}, whose `compile` does not"
            )
        # `model` has already wrapped the optimizer that scales losses.
        super().compile(
            **{**after, "optimizer": model.optimizer}, auto_scale_loss=False
        )
        _keras_internals.share_compiled(model, self)
        # No assignment: Keras would track the metrics among the arguments.
        given = _by_name(model.compile, args, kwargs)
        self.__dict__.update(_compiled_by=given)

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the serialized arguments of `compile`."""
        if self._compiled_by is None:
            return super().get_compile_config()
        given = keras.saving.serialize_keras_object(self._compiled_by)
        return {"arguments": given}  # Keras ignores an empty dict.

    def compile_from_config(self, config: Any) -> None:
        """Compiles with arguments that `get_compile_config` returned."""
        if type(self).compile is not Delegation.compile:
            super().compile_from_config(config)  # Warns that it does nothing.
            return
        config = config.get("arguments", config)
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def _serialized_model(self) -> dict[str, Any]:
        """Returns the serialized inner model."""
        config = keras.saving.serialize_keras_object(self.model)
        if self._compiled_by is not None:
            # The wrapper compiles both. Keras would warn that it does not.
            config.pop("compile_config", None)
        return config

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of a batch: the inner model's own, if it has one."""
        if not inner_model.overrides(self.model, "compute_loss"):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        return _keras_internals.compute_loss(
            self.model,
            x=x,
            y=y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=training,
        )

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Updates the metrics, and returns them by name."""
        compute = self._method_of("compute_metrics", super().compute_metrics)
        return compute(x, y, y_pred, sample_weight=sample_weight)

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the metrics by name."""
        return self._method_of(
            "get_metrics_result", super().get_metrics_result
        )()

    def reset_metrics(self) -> None:
        """Resets the metrics."""
        self._method_of("reset_metrics", super().reset_metrics)()
        # The inner model does not know those of the wrapper.
        for metric in _keras_internals.own_metrics(self):
            metric.reset_state()

    def test_step(self, *arguments: Any) -> Any:
        """Evaluates a batch, as Keras's method of the backend does."""
        return self._step_of("test_step", super().test_step)(*arguments)

    def predict_step(self, *arguments: Any) -> Any:
        """Predicts for a batch, as Keras's method of the backend does."""
        return self._step_of("predict_step", super().predict_step)(*arguments)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the wrapper, and those of the inner model."""
        if inner_model.overrides(self.model, "metrics"):
            own = _keras_internals.own_metrics(self)
            return [*self.model.metrics, *own]
        # Keras leaves out the metrics that a nested model itself holds.
        held = _keras_internals.own_metrics(self.model)
        return [*super().metrics, *held]

    def _step_of(self, name: str, keras_method: Callable) -> Callable:
        """Returns the inner model's own step, or else Keras's."""
        if inner_model.overrides(self.model, name):
            return inner_steps.of_inner(self, getattr(self.model, name))
        return keras_method

    def _method_of(self, name: str, keras_method: Callable) -> Callable:
        """Returns the inner model's own method, or else Keras's."""
        if inner_model.overrides(self.model, name):
            return getattr(self.model, name)
        return keras_method


def _by_name(method: Callable, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Returns the arguments of a `compile` by name."""
    own, after = (
        inspect.signature(each).parameters.values()
        for each in (method, keras.Model.compile)
    )
    names = [p.name for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
    # `*args` go on to Keras's `compile`.
    names += [p.name for p in after if p.name not in (*names, "self")]
    return {**dict(zip(names, args, strict=False)), **kwargs}
