"""The optimizer's step on gradients that are already those of all replicas.

Keras clips gradients, and looks for overflows, on each replica and adds up
last. Both belong after it: the sum of clipped gradients is longer than the clip
norm, and an overflow on one replica must be seen by all. And Keras puts what
replicas do together into conditionals, which fails, for
`gradient_accumulation_steps` and `ema_overwrite_frequency`.
"""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_sam import vectors
from keras_sam._backend import replicas


def apply(optimizer, grads_and_variables, corrections=()):
    """Calls `optimizer.apply_gradients`, but never sums over replicas.

    Args:
        optimizer: Keras optimizer, built.
        grads_and_variables: List of (tensor or None, Keras variable); the
            tensors are the same on all replicas.
        corrections: List of (tensor, Keras variable), likewise: what moves
            the variables besides, over minus the learning rate.
    """
    for correction, variable in corrections:
        # Before the optimizer, which averages and constrains what comes out.
        move = vectors.scale(optimizer.learning_rate, [correction])[0]
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            # After an overflow it skips the step; so is this.
            move = ops.where(vectors.all_finite([correction]), move, 0)
        variable.assign_sub(move)
    if replicas.count() > 1:
        optimizer = _aggregated(optimizer)
    optimizer.apply_gradients(grads_and_variables)


def check(optimizer):
    """Checks that weights may also move past an optimizer, by its rate.

    Raises:
        ValueError: If it accumulates gradients or has not one learning rate.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        check(optimizer.inner_optimizer)
        return
    steps = getattr(optimizer, "gradient_accumulation_steps", None)
    if steps:
        raise ValueError(
            "A decoupled descent moves the weights in every step, so the "
            "optimizer must not have `gradient_accumulation_steps`. Received: "
            f"gradient_accumulation_steps={steps}"
        )
    if _holders(optimizer):
        raise ValueError(
            "A decoupled descent moves the weights by the learning rate, so "
            "the optimizer must have one, and hold no other optimizers. "
            f"Received: {type(optimizer).__name__}"
        )


def _aggregated(optimizer):
    """Returns an optimizer with the same state that takes aggregated gradients.

    It shares all attributes with the user's, which keeps its class, by which it
    is saved.
    """
    view = object.__new__(_view_class(type(optimizer), _holders(optimizer)))
    object.__setattr__(view, "__dict__", vars(optimizer))
    return view


def _holders(optimizer):
    """Returns the names of the attributes that hold other optimizers."""
    return tuple(
        name
        for name, value in vars(optimizer).items()
        if any(isinstance(v, keras.Optimizer) for v in _listed(value))
    )


@functools.cache
def _view_class(kind, holders):
    """Returns a subclass, for which held optimizers are aggregated as well."""

    def held(name):
        def get(view):
            value = vars(view)[name]
            views = [
                _aggregated(v) if isinstance(v, keras.Optimizer) else v
                for v in _listed(value)
            ]
            return views if isinstance(value, (list, tuple)) else views[0]

        return property(get)

    members = {name: held(name) for name in holders}
    return type(kind.__name__, (_Aggregated, kind), members)


def _listed(value):
    return value if isinstance(value, (list, tuple)) else [value]


class _Aggregated:
    """Overrides what `BaseOptimizer` leaves to backends, as of Keras 3.15."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars

    def _backend_apply_gradients(self, grads, trainable_variables):
        if self.gradient_accumulation_steps:
            self._accumulate(grads, trainable_variables)
        else:
            self._update(grads, trainable_variables)
        if self.use_ema:
            trained = self._trainable_variables
            self._update_model_variables_moving_average(trained)
        if self.use_ema and self.ema_overwrite_frequency:
            _cond(
                (self.iterations + 1) % self.ema_overwrite_frequency == 0,
                lambda: self._overwrite_with_average(trained),
                lambda: None,
            )

    def _update(self, grads, variables):
        grads = self._clip_gradients(grads)
        self._apply_weight_decay(variables)
        self._backend_update_step(grads, variables, self.learning_rate)

    def _accumulate(self, grads, variables):
        """Updates with the mean of some steps, the last of which is this."""
        steps = self.gradient_accumulation_steps
        sums = [
            self._accumulated_gradients[self._get_variable_index(variable)]
            for variable in variables
        ]

        def update(*grads):
            means = [
                (grad + total) / steps
                for grad, total in zip(grads, sums, strict=True)
            ]
            self._update(means, variables)
            self._backend_reset_gradient_accumulators()

        def accumulate(*grads):
            for grad, total in zip(grads, sums, strict=True):
                total.assign_add(grad)

        due = (self._iterations + 1) % steps == 0
        _cond(due, update, accumulate, *grads)

    def _overwrite_with_average(self, variables):
        averages = self._model_variables_moving_average
        for variable, average in zip(variables, averages, strict=True):
            if average is not None:
                variable.assign(average.value)


def _cond(predicate, true, false, *arguments):
    """Runs one of two functions, in which replicas may call on each other.

    Such a function cannot be a branch of a conditional of one replica, unless
    all replicas are one program, as on a TPU. But all replicas together can
    choose first, and then run it each.
    """
    if isinstance(replicas.current(), tf.distribute.TPUStrategy):
        tf.cond(predicate, lambda: true(*arguments), lambda: false(*arguments))
        return

    def choose(strategy, predicate, *arguments):
        def each(function):
            strategy.extended.call_for_each_replica(function, args=arguments)

        first = strategy.experimental_local_results(predicate)[0]
        tf.cond(first, lambda: each(true), lambda: each(false))

    context = tf.distribute.get_replica_context()
    context.merge_call(choose, args=(predicate, *arguments))
