"""The loss and gradient of a Keras model at weights passed as tensors.

An `Evaluator` makes a model a function of its weights, by means of `scope.py`.
"""

import tensorflow as tf
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import variables
from keras_sam._backend.tensorflow import batches
from keras_sam._backend.tensorflow import rows
from keras_sam._backend.tensorflow import values
from keras_sam._evaluation import compiled_losses
from keras_sam._evaluation.base_evaluator import BaseEvaluator
from keras_sam._evaluation.tensorflow import assignments
from keras_sam._evaluation.tensorflow import raw_variables
from keras_sam._evaluation.tensorflow import second_derivatives
from keras_sam._evaluation.tensorflow.scope import Scope
from keras_sam._types import Point


class Evaluator(BaseEvaluator):
    """Evaluates a model, and its gradient, at weights passed as tensors.

    Args:
        model: `keras.Model`, built and compiled.
        replicas: Int, the number of replicas in sync. Keras divides losses by
            this number.
        compiled: Bool, whether to compile evaluations with XLA.
        training: Bool. True: the model is in training mode, and the optimizer
            scales its losses.
        sliced: Bool, whether gradients may be `tf.IndexedSlices`, which needs a
            single replica. Otherwise they are dense.
        once: Bool, whether a train step is a single evaluation.
    """

    def __init__(
        self,
        model,
        replicas,
        compiled,
        training=True,
        sliced=False,
        once=False,
    ):
        super().__init__(model, training, once)
        self.connected = [False] * len(self.params)
        self._listed = len(self.state)
        self._own_gradients = set()
        self._replicas = replicas
        self._sliced = sliced
        self._function = _function(self._evaluate, compiled, once)
        # XLA cannot compile the gradient of a function that is not inlined,
        # within a conditional, if it reads shapes.
        self._exact = _function(self._evaluate, compiled, once=True)

    def __call__(self, params, state, batch, gradient=True, twice=False):
        """Returns the `Point` of a batch at params and state.

        Without `gradient` the point has empty grads and overwrites, and the
        call costs a forward pass. With `twice` the gradient can be
        differentiated again, and it has the loss scale.
        """
        function = self._exact if twice else self._function
        loss, grads, y_pred, masks, state, overwrites = function(
            params,
            state[: self._listed],
            values.read(self.overwritten),
            self.loss_scale,
            batch,
            gradient,
            twice,
        )
        if gradient:
            grads = [rows.like(*of) for of in zip(grads, params, strict=True)]
        # A tf.function returns tensors without attributes, such as masks.
        _keras_internals.set_masks(y_pred, masks)
        if not twice:  # Products of a small vector could underflow.
            grads = self._unscaled(grads)
        if self._replicas > 1:
            size = batches.size(batch)
            # A mean over no examples is NaN, and so are its gradients.
            loss, *grads = [
                tf.where((size > 0) | tf.math.is_finite(t), t, 0)
                for t in (loss, *grads)
            ]
        return Point(params, loss, grads, y_pred, state, overwrites)

    def _unscaled(self, grads):
        """Returns the true gradients for those that Keras uses."""
        unit = self.loss_scale / self._replicas
        if not self.loss_scaled and unit == 1.0:
            return grads
        return [
            rows.each(lambda g: g / cast_as(unit, g), grad) for grad in grads
        ]

    def _evaluate(
        self, params, state, overwritten, loss_scale, batch, gradient, twice
    ):
        with tf.GradientTape() as tape:
            tape.watch([params, overwritten])
            scope = Scope(
                [
                    *zip(self.params, params, strict=True),
                    *zip(self.overwritten, overwritten, strict=True),
                    *zip(self.state[: self._listed], state, strict=True),
                ],
                tape,
                twice,
            )
            with scope:
                y_pred = self.model(batch.x, training=self._training)
                loss = compiled_losses.compute(
                    self.model, batch, y_pred, self._training
                )
                scaled_loss = loss * cast_as(loss_scale, loss)
        grads, overwrites = [], []
        if gradient:
            grads, overwrites, connected = self._gradient(
                tape, scaled_loss, scope, params, overwritten
            )
        if gradient and batch.output_gradients is None:
            self.connected = connected
        if not self.once and not tf.executing_eagerly():
            assignments.check(tf.compat.v1.get_default_graph(), self.model)
        self._own_gradients = scope.own_gradients
        self.hides_logits = any(
            _keras_internals.logits(t) is not None for t in tree.flatten(y_pred)
        )
        if twice:
            assigned = [v.path for v in self.params if scope.assigned(v)]
            second_derivatives.check(self.model, assigned, self._training)
        updated = [variable for variable, _ in scope.updates]
        self.state = variables.unique([*self.state, *updated])
        self.updated = {id(variable) for variable in updated}
        return (
            loss * tf.cast(self._replicas, loss.dtype),
            grads,
            y_pred,
            _keras_internals.masks(y_pred),
            scope.values(self.state),
            overwrites,
        )

    def _gradient(self, tape, loss, scope, params, overwritten):
        values = [
            [param, *scope.assigned(variable)]
            for variable, param in zip(self.params, params, strict=True)
        ]
        raw = self._raw(tape.watched_variables(), scope)
        with scope:  # What `keras.remat` computes again reads the weights.
            grads, overwrites, raw_grads = tape.gradient(
                loss, (values, overwritten, raw)
            )
        raw_variables.check(raw, raw_grads, self.params, self.model)
        grads = [_sum(parts) for parts in grads]
        return (
            _total(grads, params, self._sliced),
            _total(overwrites, overwritten),
            [grad is not None for grad in grads],
        )

    def _raw(self, watched, scope):
        """Returns the watched `tf.Variable`s that Keras might train."""
        if not watched:
            return []
        known = [*self.overwritten, *self.model.non_trainable_variables]
        return raw_variables.others(watched, [*scope.foreign, *known])

    def check_trained(self):
        """Raises ValueError if the model has other trained variables by now."""
        known = {id(variable) for variable in self.params}
        new = [
            variable.path
            for variable in variables.trained(self.model)
            if id(variable) not in known
        ]
        if new:
            raise ValueError(
                "`model` must create all trainable variables in its first "
                "call in training mode: a later train step has created others, "
                "which it cannot train. Create them in `__init__` or `build`. "
                f"Received: {new}"
            )

    def hessian_vector_product(self, state, batch, params, vector):
        """Returns the Hessian at params times a list of tensors.

        Raises:
            NotImplementedError: If the model has no second derivatives, as with
                gradient checkpoints.
        """
        with tf.GradientTape() as tape:
            tape.watch(params)
            grads = self(params, state, batch, twice=True).grads
        try:
            products = tape.gradient(grads, params, output_gradients=vector)
        except (NotImplementedError, LookupError) as error:
            raise second_derivatives.error(
                error, self._own_gradients
            ) from error
        return self._unscaled(_total(products, params))

    def squared_gradients(self, state, batch, params, examples):
        """Returns the mean square of the gradients of single examples."""
        batches.check("A mean over squared gradients of examples", batch)
        number = tf.minimum(examples, batches.size(batch))
        among = tf.maximum(number, 1)  # On a replica without examples.

        def add(i, sums):
            grads = self(params, state, batches.take(batch, [i])).grads
            return i + 1, [
                total + grad * grad
                for total, grad in zip(sums, grads, strict=True)
            ]

        zeros = [tf.zeros_like(param) for param in params]
        _, sums = tf.while_loop(lambda i, _: i < number, add, (0, zeros))
        return [total / cast_as(among, total) for total in sums]


def _function(evaluate, compiled, once):
    """Returns `evaluate`, within a graph as a `tf.function`.

    TensorFlow traces the function, and XLA compiles it, once for all points of
    a climb. If the function were inlined, TensorFlow would optimize each call
    separately, and keep every gradient until they are summed. If it is called
    only once, it is inlined. It then rounds as plain Keras does, with any
    number of threads.
    """
    if tf.executing_eagerly():
        return evaluate
    return tf.function(
        evaluate,
        jit_compile=compiled or None,
        autograph=False,
        experimental_attributes={} if once else {"_noinline": True},
    )


def _total(grads, params, sliced=False):
    # The conversion adds up the rows of an id that a batch has twice.
    grads = [
        tf.zeros_like(param) if grad is None else grad
        for param, grad in zip(params, grads, strict=True)
    ]
    return grads if sliced else [tf.convert_to_tensor(grad) for grad in grads]


def _sum(grads):
    grads = [grad for grad in grads if grad is not None]
    if len(grads) < 2:
        return grads[0] if grads else None
    return tf.add_n([tf.convert_to_tensor(grad) for grad in grads])


def cast_as(number, tensor):
    """Returns a number in the dtype of a tensor. A float stays as it is."""
    # TensorFlow converts a float exactly. `tf.cast` would first round it to
    # float32.
    if isinstance(number, float):
        return number
    return tf.cast(number, tensor.dtype)
