"""The steps of an optimizer."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras

from keras_sam._keras_internals.package import KERAS


def clip(optimizer: keras.Optimizer, grads: Sequence[Any]) -> list:
    """Returns gradients, clipped as the optimizer's arguments say.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._clip_gradients`.
    """
    return KERAS.private(optimizer, "_clip_gradients")(grads)


def decay_weights(
    optimizer: keras.Optimizer, variables: Sequence[keras.Variable]
) -> None:
    """Applies the weight decay of an optimizer.

    Read in Keras 3.14 and 3.15: `TFOptimizer._apply_weight_decay`.
    """
    KERAS.private(optimizer, "_apply_weight_decay")(variables)


def update(
    optimizer: keras.Optimizer,
    grads: Sequence[Any],
    variables: Sequence[keras.Variable],
) -> None:
    """Moves variables by the rule of an optimizer, and nothing besides.

    Read in Keras 3.14 and 3.15: `TFOptimizer._backend_update_step`.
    """
    KERAS.private(optimizer, "_backend_update_step")(
        grads, variables, optimizer.learning_rate
    )


def optimized(optimizer: keras.Optimizer) -> list[keras.Variable]:
    """Returns the variables that an optimizer moves.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    return KERAS.private(optimizer, "_trainable_variables")


def accumulators(
    optimizer: keras.Optimizer, variables: Sequence[keras.Variable]
) -> list[keras.Variable]:
    """Returns the sum of gradients that an optimizer keeps for each variable.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._accumulated_gradients`,
    `BaseOptimizer._get_variable_index`.
    """
    sums = KERAS.private(optimizer, "_accumulated_gradients")
    index = KERAS.private(optimizer, "_get_variable_index")
    return [sums[index(variable)] for variable in variables]


def reset_accumulators(optimizer: keras.Optimizer) -> None:
    """Sets all sums of gradients to zero.

    Read in Keras 3.14 and 3.15:
    `BaseOptimizer._backend_reset_gradient_accumulators`.
    """
    KERAS.private(optimizer, "_backend_reset_gradient_accumulators")()


def steps_done(optimizer: keras.Optimizer) -> keras.Variable:
    """Returns the number of steps, those too that only accumulate gradients.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._iterations`.
    """
    return KERAS.private(optimizer, "_iterations")


def update_averages(optimizer: keras.Optimizer) -> None:
    """Updates the moving averages of all variables of an optimizer.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`,
    `BaseOptimizer._update_model_variables_moving_average`.
    """
    KERAS.private(optimizer, "_update_model_variables_moving_average")(
        KERAS.private(optimizer, "_trainable_variables")
    )


def averages(
    optimizer: keras.Optimizer,
) -> list[tuple[keras.Variable, keras.Variable]]:
    """Returns pairs of a variable and its moving average.

    Read in Keras 3.14 and 3.15: `BaseOptimizer._trainable_variables`,
    `BaseOptimizer._model_variables_moving_average`, which has None for a
    variable that is not averaged.
    """
    pairs = zip(
        KERAS.private(optimizer, "_trainable_variables"),
        KERAS.private(optimizer, "_model_variables_moving_average"),
        strict=True,
    )
    return [pair for pair in pairs if pair[1] is not None]


def overwriting(optimizer: keras.Optimizer) -> Callable[[], None] | None:
    """Returns a function that overwrites variables with their averages, if due.

    They are due once in `ema_overwrite_frequency` steps. The function may be
    called on any number of replicas.

    Read in Keras 3.16, a nightly:
    `BaseOptimizer._backend_maybe_overwrite_model_variables`. Keras 3.14 and
    3.15 have nothing that works on several replicas, so the result is None.
    """
    overwrite = getattr(
        optimizer, "_backend_maybe_overwrite_model_variables", None
    )
    if overwrite is None:
        return None
    return lambda: overwrite(KERAS.private(optimizer, "_trainable_variables"))


def optimizer_hooks(
    reduce: Callable[[Any], Any],
    apply: Callable[[keras.Optimizer, list, list], None] | None = None,
) -> type:
    """Returns a mixin that calls functions in place of an optimizer's methods.

    They are functions, since a subclass of an optimizer may have methods of
    any public name.

    Read in Keras 3.14 and 3.15: `TFOptimizer._all_reduce_sum_gradients`,
    `BaseOptimizer._backend_apply_gradients`.

    Args:
        reduce: Function from pairs of a gradient and a variable to such pairs.
            Keras adds up the gradients of all replicas here.
        apply: Function of an optimizer, gradients and variables. Keras clips,
            accumulates, updates and averages here. None leaves that to Keras.
    """

    @KERAS.overriding(keras.Optimizer)
    class Reduction:
        def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
            return reduce(grads_and_vars)

    if apply is None:
        return Reduction
    applied = apply

    @KERAS.overriding(keras.Optimizer)
    class Hooks(Reduction):
        def _backend_apply_gradients(
            self, grads: list, trainable_variables: list
        ) -> None:
            applied(self, grads, trainable_variables)

    return Hooks
