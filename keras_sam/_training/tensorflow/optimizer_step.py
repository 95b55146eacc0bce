"""The optimizer's step on gradients that already include all replicas.

Keras clips gradients and looks for overflows on each replica, and only then
sums gradients over replicas. Here the sum comes first: the sum of clipped
gradients may be longer than the clip norm, and all replicas must see an
overflow on one of them. For `gradient_accumulation_steps`, and before 3.16 for
`ema_overwrite_frequency`, Keras also puts collectives into conditionals, which
fails.
"""

import functools
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from keras_sam import _keras_internals
from keras_sam._backend import replicas
from keras_sam._training import corrections


def apply(
    optimizer: keras.Optimizer,
    grads_and_variables: Iterable[tuple[Any, keras.Variable]],
) -> None:
    """Calls `optimizer.apply_gradients`, but never sums over replicas.

    Args:
        optimizer: Keras optimizer, built.
        grads_and_variables: Pairs of a tensor or None and a Keras variable.
            The tensors must be the same on all replicas.
    """
    if replicas.count() > 1:
        optimizer = _view(_Aggregated, optimizer)
    elif not tf.executing_eagerly():
        optimizer = _view(_Alone, optimizer)
    optimizer.apply_gradients(grads_and_variables)


def _view(mixin: type, optimizer: keras.Optimizer) -> keras.Optimizer:
    """Returns an optimizer with the same state, and the methods of a mixin.

    It shares all attributes with the user's optimizer, which keeps its class:
    a model is saved with the class of its optimizer.
    """
    kind: Any = type(optimizer)
    view = object.__new__(
        _view_class(mixin, kind, corrections.holders(optimizer))
    )
    object.__setattr__(view, "__dict__", vars(optimizer))
    return view


@functools.cache
def _view_class(mixin: type, kind: Any, holders: tuple[str, ...]) -> Any:
    """Returns a subclass whose held optimizers have the mixin, too."""

    def held(name: str) -> property:
        def get(view: Any) -> Any:
            value = vars(view)[name]
            views = [
                _view(mixin, v) if isinstance(v, keras.Optimizer) else v
                for v in corrections.listed(value)
            ]
            return views if isinstance(value, (list, tuple)) else views[0]

        return property(get)

    members = {name: held(name) for name in holders}
    return type(kind.__name__, (mixin, kind), members)


def _step(
    optimizer: keras.Optimizer, grads: list, variables: list[keras.Variable]
) -> None:
    """Steps as Keras's optimizers do, with gradients without loss scale."""
    if optimizer.gradient_accumulation_steps:
        _accumulate(optimizer, grads, variables)
    else:
        _update(optimizer, grads, variables)
    if optimizer.use_ema:
        _keras_internals.update_averages(optimizer)
    if optimizer.use_ema and optimizer.ema_overwrite_frequency:
        _overwrite_if_due(optimizer)


def _update(
    optimizer: keras.Optimizer, grads: list, variables: list[keras.Variable]
) -> None:
    grads = _keras_internals.clip(optimizer, grads)
    _keras_internals.decay_weights(optimizer, variables)
    _keras_internals.update(optimizer, grads, variables)


def _accumulate(
    optimizer: keras.Optimizer, grads: list, variables: list[keras.Variable]
) -> None:
    """Adds up gradients. Every few steps, updates with their mean."""
    steps = optimizer.gradient_accumulation_steps
    sums = _keras_internals.accumulators(optimizer, variables)

    def update(*grads: Any) -> None:
        means = [
            (grad + total) / steps
            for grad, total in zip(grads, sums, strict=True)
        ]
        _update(optimizer, means, variables)
        _keras_internals.reset_accumulators(optimizer)

    def accumulate(*grads: Any) -> None:
        for grad, total in zip(grads, sums, strict=True):
            total.assign_add(grad)

    due = (_keras_internals.steps_done(optimizer) + 1) % steps == 0
    _cond(due, update, accumulate, *grads)


def _overwrite_if_due(optimizer: keras.Optimizer) -> None:
    """Overwrites variables with their averages, once in a few steps."""
    keras_does_it = _keras_internals.overwriting(optimizer)
    if keras_does_it is not None:
        keras_does_it()
        return

    def overwrite() -> None:
        for variable, average in _keras_internals.averages(optimizer):
            variable.assign(average.value)

    steps = optimizer.iterations + 1
    due = steps % optimizer.ema_overwrite_frequency == 0
    _cond(due, overwrite, lambda: None)


def _cond(
    predicate: Any,
    true: Callable[..., None],
    false: Callable[..., None],
    *arguments: Any,
) -> None:
    """Runs one of two functions, which may contain collectives.

    A replica must not run collectives inside a conditional. (On a TPU it may:
    all replicas are one program.) So all replicas choose together, in the
    cross-replica context, and then each replica runs the chosen function.
    """
    if isinstance(replicas.current(), tf.distribute.TPUStrategy):
        tf.cond(predicate, lambda: true(*arguments), lambda: false(*arguments))
        return

    def choose(
        strategy: tf.distribute.Strategy, predicate: Any, *arguments: Any
    ) -> None:
        def each(function: Callable[..., None]) -> None:
            strategy.extended.call_for_each_replica(function, args=arguments)

        first = strategy.experimental_local_results(predicate)[0]
        tf.cond(first, lambda: each(true), lambda: each(false))

    context = tf.distribute.get_replica_context()
    context.merge_call(choose, args=(predicate, *arguments))


def _sum_of_one(grads_and_variables: Iterable[tuple]) -> list[tuple]:
    """Returns gradients as they are: the sum over a single replica.

    TensorFlow's sum registers a function for its own gradient. The function
    holds the graph of the train step, and TensorFlow never forgets it.
    """
    pairs = list(grads_and_variables)
    grads = [grad for grad, _ in pairs if grad is not None]
    if not grads or any(isinstance(g, tf.IndexedSlices) for g in grads):
        return pairs  # Nothing is registered for these.
    # As that sum does, it keeps TensorFlow from optimizing across it: the step
    # rounds as in plain Keras.
    kept = iter(tf.identity_n(grads))
    return [(None if g is None else next(kept), v) for g, v in pairs]


_Aggregated = _keras_internals.optimizer_hooks(
    reduce=lambda grads_and_variables: grads_and_variables, apply=_step
)
_Alone = _keras_internals.optimizer_hooks(reduce=_sum_of_one)
