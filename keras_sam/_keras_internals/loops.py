"""The methods and attributes that Keras's loops use: `fit`, `evaluate`."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


def validates(arguments: Mapping[str, Any]) -> bool:
    """Whether `fit` calls `evaluate` with these arguments, to validate.

    Read in Keras 3.14 and 3.15: `_use_cached_eval_dataset` of
    `TensorFlowTrainer.evaluate`.
    """
    return bool(arguments.get("_use_cached_eval_dataset"))


def set_first_epoch(model: keras.Model, epoch: int | None) -> None:
    """Makes `fit` begin with an epoch, if `on_train_begin` calls this.

    Read in Keras 3.14 and 3.15: `Trainer._initial_epoch`.

    Args:
        model: Model in `fit`.
        epoch: Int. With None or 0 the argument of `fit` decides.
    """
    # An assignment would not miss it.
    KERAS.private(model, "_initial_epoch")
    model._initial_epoch = epoch


def held_state(model: keras.Model) -> Any:
    """Returns the values of all variables that a loop holds on JAX, or None.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.
    """
    # The other one comes with a step.
    KERAS.private(model, "_jax_state_synced")
    return getattr(model, "_jax_state", None)


def take_state(model: keras.Model) -> list | None:
    """Returns the lists of values that a loop on JAX has not assigned yet.

    The loop takes them for assigned from then on. None stands for no values.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`,
    `JAXTrainer._jax_state_synced`.
    """
    state = held_state(model)
    if not state or model._jax_state_synced:
        return None
    model._jax_state_synced = True
    return list(state.values())


def hold_state(model: keras.Model, state: Any) -> None:
    """Remembers what a step has returned, as a loop on JAX does a bit later.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.

    Args:
        model: `keras.Model`.
        state: Lists of values: the trainable variables, the others, the
            optimizer's in training only, and the metrics' unless in `predict`.
    """
    # An assignment would not miss it.
    KERAS.private(model, "_jax_state_synced")
    trained, others, *more = state
    names = ("optimizer_variables", "metrics_variables")[2 - len(more) :]
    model._jax_state = {
        "trainable_variables": trained,
        "non_trainable_variables": others,
        **dict(zip(names, more, strict=True)),
    }


def forget_state(model: keras.Model) -> None:
    """Keeps `fit` on JAX from assigning the values of the last good step.

    Read in Keras 3.14 and 3.15: `JAXTrainer._jax_state`.
    """
    # An assignment would not miss it.
    KERAS.private(model, "_jax_state_synced")
    model._jax_state = None


# Keras's loops call this first, to create all variables.
_BUILD = {"jax": "_symbolic_build"}.get(
    keras.backend.backend(), "_maybe_symbolic_build"
)


@KERAS.overriding(keras.Model)
class FitHooks(keras.Model):
    """A model with a method for each private one that Keras's loops call.

    Read in Keras 3.14 and 3.15: `Trainer._assert_compile_called`,
    `TensorFlowTrainer._maybe_symbolic_build`, `Trainer._symbolic_build`, which
    JAX's loops call, `Trainer._get_metrics_result_or_logs`,
    `Trainer._resolve_auto_jit_compile`, `JAXTrainer._make_function`.
    """

    def check_compiled(self, method_name: str | None = None) -> None:
        """Raises ValueError unless the model is compiled. Loops call it first.

        Args:
            method_name: String, the method that needs `compile`.
        """
        super()._assert_compile_called(method_name)

    def build_before_loop(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        """Creates all variables. `fit` and `evaluate` call this first.

        Args:
            iterator: Keras's iterator over an epoch, or None.
            data_batch: A batch, where there is no iterator.
        """
        KERAS.private(super(), _BUILD)(iterator, data_batch)

    def epoch_logs(self, logs: Any) -> Any:
        """Returns the logs of an epoch, after all of its steps were called.

        Args:
            logs: The logs of the last step.
        """
        return super()._get_metrics_result_or_logs(logs)

    def _assert_compile_called(self, method_name: str | None = None) -> None:
        self.check_compiled(method_name)

    def auto_jit_compile(self) -> bool | None:
        """Returns what `jit_compile` is if `compile` leaves it at "auto".

        None stands for a decision that is not made yet. It counts as False.
        """
        return super()._resolve_auto_jit_compile()

    def _resolve_auto_jit_compile(self) -> bool | None:
        return self.auto_jit_compile()

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        return self.epoch_logs(logs)

    if _BUILD == "_symbolic_build":

        def whole_step(self, step: Callable) -> Callable:
            """Returns what a loop calls in the place of a compiled step.

            Args:
                step: Function of the values of all variables and a batch.
            """
            return step

        def _make_function(
            self, step_function: Callable, concatenate_outputs: bool = False
        ) -> Callable:
            return super()._make_function(
                self.whole_step(step_function), concatenate_outputs
            )

        def _symbolic_build(
            self, iterator: Any = None, data_batch: Any = None
        ) -> None:
            self.build_before_loop(iterator, data_batch)

    else:

        def _maybe_symbolic_build(
            self, iterator: Any = None, data_batch: Any = None
        ) -> None:
            self.build_before_loop(iterator, data_batch)
