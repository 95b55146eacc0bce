"""The passes of one step: on which examples, and what replicas share."""

import dataclasses

from keras_sam import parts
from keras_sam import vectors
from keras_sam._algorithm.context import Context
from keras_sam._backend import control_flow
from keras_sam._backend import example_losses
from keras_sam._backend import replicas


class Passes:
    """Evaluates a model for one step, on one batch and from one state.

    Args:
        sam: The wrapper.
        evaluator: `evaluator.Evaluator`.
        batch: `functional.Batch`.
        state: List of tensors, which all passes start from.

    Attributes:
        context: `context.Context` of the step; `skip_unless` replaces it.
        clean: `functional.Point` z_0, as replicas share it; set by the step.
    """

    def __init__(self, sam, evaluator, batch, state):
        self._batch = batch
        self.clean = None
        self.context = Context(
            sam.optimizer.iterations,
            batch.size,
            0,
            self.evaluate,
            lambda *of: evaluator.hessian_vector_product(state, batch, *of),
            lambda *of: evaluator.squared_gradients(state, batch, *of),
            self._share,
            replicas.mean,
        )
        self._sam = sam
        self._evaluator = evaluator
        self._state = state
        self._active = None

    def skip_unless(self, active):
        """Evaluates further points only if a scalar bool tensor says so.

        Otherwise loss and gradients are those of `clean`; outputs and state are
        so in any case. For `sync_perturbations`, whose collectives cannot be in
        a conditional, and which excludes `samples`, which look at outputs.
        """
        self._active = active
        self.context = dataclasses.replace(self.context, _active=active)

    def evaluate(self, params, gradient=True, batch=None):
        """Returns the `Point` of this replica at params."""

        def evaluate():
            return self._evaluator(
                params,
                self._state,
                self._batch if batch is None else batch,
                gradient,
            )

        if self._active is None:
            return evaluate()
        clean = self.clean

        def passed():
            point = evaluate()
            return point.loss, point.grads

        loss, grads = control_flow.cond(
            self._active,
            passed,
            lambda: (clean.loss, clean.grads if gradient else []),
        )
        return clean._replace(params=params, loss=loss, grads=grads)

    def shared(self, point):
        """Returns a point as all replicas see it, if they climb together."""
        *grads, loss = self._share([*point.grads, point.loss])
        return point._replace(grads=grads, loss=loss)

    def chosen(self, samples, params):
        """Returns the examples that samples choose at params, a `Batch`."""
        if samples is None:
            return self._batch

        def losses_here():
            point = self.evaluate(params, gradient=False)
            return example_losses.of_examples(
                self._sam, point.y_pred, self._batch
            )

        indices, _ = parts.call(
            samples,
            lambda: example_losses.of_examples(
                self._sam, self.clean.y_pred, self._batch
            ),
            losses_here,
            memory=(),
            context=self.context,
        )
        return self._batch.take(indices)

    def slope(self, point):
        """Returns the gradients that the step from a point takes."""
        samples = self._sam.ascent_samples
        seen = None if point is self.clean else self._sam.descent_samples
        if samples == seen:
            return point.grads
        batch = self.chosen(samples, point.params)
        return self.shared(self.evaluate(point.params, batch=batch)).grads

    def finite(self, point):
        """Returns whether its gradients are, a list of one, if it matters."""
        if not self._evaluator.loss_scaled:
            return []
        return [vectors.all_finite(point.grads)]

    def _share(self, tensors):
        if self._sam.sync_perturbations:
            return replicas.mean(tensors)
        return tensors
