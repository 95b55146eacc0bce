"""The values that Keras's loops hold apart from the variables, on JAX.

A loop takes the values from the variables before its first step, and puts them
back after its last one. Each step consumes the values that it is given. What
ends a loop, or begins another one, must not lose the values.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import jax

from keras_sam import _keras_internals
from keras_sam._training.jax import inner_steps
from keras_sam._training.jax import interrupts


class Holding(_keras_internals.FitHooks):
    """A model whose loops lose no values of variables."""

    _held: tuple | None = None

    def held(self, groups: Callable[[], tuple]) -> tuple:
        """Returns the lists of variables whose values a loop holds.

        They stay what they are from the first step on. A callback may freeze a
        layer, and the model then lists other variables.

        Args:
            groups: Function that returns the lists of the model.
        """
        held = self._held or groups()
        self.__dict__["_held"] = held  # Keras would track what is assigned.
        return held

    def jax_state_sync(self) -> None:
        """Assigns the values that a loop holds, as Keras does.

        Keras pairs them with the variables that the model lists now.
        """
        held = self._held
        self.__dict__["_held"] = None
        if held is None:
            super().jax_state_sync()
            return
        state = _keras_internals.take_state(self)
        if state is not None:
            for variable, value in inner_steps.pairs(held, state):
                variable.assign(value)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Returns a context for a loop, which puts all values back.

        A callback of another loop may call it, and an error may end it.
        """
        self.jax_state_sync()
        try:
            yield
        except BaseException:
            self.jax_state_sync()
            _keras_internals.forget_state(self)
            raise

    def whole_step(self, step: Callable) -> Callable:
        """Returns a step that Ctrl-C does not cut short.

        The results must be held before an interrupt may come.
        """

        def called(state: Any, data: Any) -> Any:
            with interrupts.Later():
                outputs, state = step(state, data)
                if self.run_eagerly or not self.jit_compile:
                    _check_values(state)
                _keras_internals.hold_state(self, state)
            return outputs, state

        return called


def _check_values(state: Any) -> None:
    """Raises ValueError if the state after a step is not all arrays.

    It would replace the present values, and JAX would only refuse it in the
    next step. In a step that is compiled JAX refuses it at once.
    """
    for value in jax.tree.leaves(state):
        if isinstance(value, jax.core.Tracer):
            raise ValueError(
                "A layer must not assign a variable, such as batch statistics "
                "or the seed of a dropout, within a function that JAX traces "
                "on its own, such as a function under `keras.remat`. Move the "
                f"assignment out of the function. Received: {value}"
            )


def kept(
    model: Holding, function: Callable, groups: Callable[[], tuple]
) -> Callable:
    """Returns a function of Keras's loops that loses no values in an error.

    An error in the first step would leave the variables empty.

    Args:
        model: The wrapper.
        function: Function of the state and an iterator over batches.
        groups: Function that returns the lists of the variables whose values
            are the state.
    """

    def called(state: Any, iterator: Any) -> Any:
        present = model.held(groups)
        before = _keras_internals.held_state(model)
        try:
            return function(state, iterator)
        except StopIteration:
            raise
        except BaseException:
            if _keras_internals.held_state(model) is not before:
                raise  # A step has ended, and its values are held.
            for variable, value in inner_steps.pairs(present, state):
                if not value.is_deleted():
                    variable.assign(value)
            _keras_internals.forget_state(model)
            raise

    return called
