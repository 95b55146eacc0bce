"""The loss and gradient of a Keras model at weights passed as tensors.

An `Evaluator` makes a model a function of its weights, by means of `scope.py`.
"""

import jax
import jax.numpy as jnp
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend.jax import batches
from keras_sam._backend.jax import values
from keras_sam._evaluation import compiled_losses
from keras_sam._evaluation.base_evaluator import BaseEvaluator
from keras_sam._evaluation.jax.scope import Scope
from keras_sam._types import Point


class Evaluator(BaseEvaluator):
    """Evaluates a model, and its gradient, at weights passed as tensors.

    Args:
        model: `keras.Model`, built and compiled.
        replicas: 1. Keras does not divide losses by the number of devices.
        compiled: Bool, whether to compile evaluations on their own.
        training: Bool. True: the model is in training mode, and the optimizer
            scales its losses.
        sliced: Bool, ignored: gradients are dense.
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
        del replicas, sliced
        super().__init__(model, training, once)
        self.connected = [True] * len(self.params)
        self._function = self._evaluate
        # JAX traces a function within `jit` once for all points of a climb.
        if compiled or not (once or model.run_eagerly or not model.jit_compile):
            self._function = jax.jit(self._evaluate, static_argnums=5)

    def __call__(self, params, state, batch, gradient=True, twice=False):
        """Returns the `Point` of a batch at params and state.

        Without `gradient` the point has empty grads and overwrites, and the
        call costs a forward pass. With `twice` the gradient has the loss scale.
        """
        loss, grads, y_pred, masks, state, overwrites = self._function(
            params,
            state,
            values.read(self.overwritten),
            self.loss_scale,
            batch,
            gradient,
        )
        # `jit` returns tensors without attributes, such as masks.
        _keras_internals.set_masks(y_pred, masks)
        if not twice:  # Products of a small vector could underflow.
            grads = self._unscaled(grads)
        return Point(params, loss, grads, y_pred, state, overwrites)

    def _unscaled(self, grads):
        """Returns the true gradients for those that Keras uses."""
        if not self.loss_scaled and self.loss_scale == 1.0:
            return grads
        return [g / cast_as(self.loss_scale, g) for g in grads]

    def _evaluate(self, params, state, overwritten, scale, batch, gradient):
        def loss_of(params, overwritten):
            scope = Scope(
                [
                    *zip(self.params, params, strict=True),
                    *zip(self.overwritten, overwritten, strict=True),
                    *zip(self.state, state, strict=True),
                ]
            )
            with scope:
                y_pred = self.model(batch.x, training=self._training)
                loss = compiled_losses.compute(
                    self.model, batch, y_pred, self._training
                )
            self._note(scope, y_pred)
            masks = _keras_internals.masks(y_pred)
            new_state = [scope.get_current_value(v) for v in self.state]
            scaled = loss * cast_as(scale, loss)
            return scaled, (loss, y_pred, masks, new_state)

        if not gradient:
            _, (loss, y_pred, masks, new_state) = loss_of(params, overwritten)
            return loss, [], y_pred, masks, new_state, []
        (_, aux), (grads, overwrites) = jax.value_and_grad(
            _total(loss_of), (0, 1), has_aux=True
        )(params, overwritten)
        loss, y_pred, masks, new_state = aux
        return loss, grads, y_pred, masks, new_state, overwrites

    def _note(self, scope, y_pred):
        """Remembers what a pass updates, and whether it hides logits."""
        self.updated = scope.updated(self.state)
        self.hides_logits = any(
            _keras_internals.logits(t) is not None for t in tree.flatten(y_pred)
        )

    def check_trained(self):
        """Does nothing: JAX has no weights that Keras does not list."""

    def hessian_vector_product(self, state, batch, params, vector):
        """Returns the Hessian at params times a list of tensors."""

        def gradient(params):
            return self(params, state, batch, twice=True).grads

        _, products = jax.jvp(gradient, (params,), (list(vector),))
        return self._unscaled(products)

    def squared_gradients(self, state, batch, params, examples):
        """Returns the mean square of the gradients of single examples."""
        batches.check("A mean over squared gradients of examples", batch)
        number = jnp.minimum(examples, batches.size(batch))

        def add(i, sums):
            grads = self(params, state, batches.take(batch, i[None])).grads
            return [
                total + grad * grad
                for total, grad in zip(sums, grads, strict=True)
            ]

        zeros = [jnp.zeros_like(param) for param in params]
        sums = jax.lax.fori_loop(0, number, add, zeros)
        return [total / cast_as(number, total) for total in sums]


def _total(loss_of):
    """Returns a function whose loss is a scalar: the sum, as in TensorFlow."""

    def total(*arguments):
        loss, aux = loss_of(*arguments)
        return (jnp.sum(loss) if loss.shape else loss), aux

    return total


def cast_as(number, tensor):
    """Returns a number in the dtype of a tensor. A float stays as it is."""
    if isinstance(number, float):
        return number
    return jnp.asarray(number).astype(tensor.dtype)
