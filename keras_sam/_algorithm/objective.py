"""The loss on some examples, as a function of weights.

Objective     the interface that all kinds share
Local         the loss on the examples of this replica
Synced        the mean loss over replicas, which climb together
Gated         another objective, evaluated only if it is due
Restricted    another objective, as a function of the perturbed weights only
Selected      another objective, with another choice of the perturbed weights
Alone         another objective, on this replica only, inside a conditional
"""

from typing import Any

from keras import ops
from keras import tree

from keras_sam import _filters
from keras_sam import _keras_internals
from keras_sam import vectors
from keras_sam._algorithm import selection as selections
from keras_sam._backend import batches
from keras_sam._backend import control_flow
from keras_sam._backend import replicas
from keras_sam._evaluation import example_losses
from keras_sam._evaluation import output_gradients


def scalar(loss, who):
    """Returns the loss of a batch, or raises ValueError if it is no scalar.

    Args:
        loss: Tensor.
        who: String, what needs one number.
    """
    if tuple(loss.shape):
        raise ValueError(
            f"{who} needs the loss of a batch as one number, but the loss in "
            "`compile`, or `compute_loss`, returns one for each example, as "
            'with `reduction=None`. Use `reduction="sum_over_batch_size"`, or '
            f"return the mean. Received a loss of shape {tuple(loss.shape)}"
        )
    return loss


_NO_OUTPUTS = (
    "A landscape must be climbed by a direction, and descended by a descent, "
    "that do not ask for the outputs of the model: it has the loss alone"
)


class Objective:
    """A loss on some examples, with all that a climb asks of it.

    Attributes:
        iterations: Scalar int tensor, the number of the train step.
        examples: Int or scalar int tensor, the number of examples.
        selection: `selection.Selection`, the variables that move.
        due: True, or a scalar bool tensor: whether passes are needed.
        loss_scaled: Whether an overflow in any pass must skip the step.
    """

    iterations: Any
    examples: Any
    selection: Any = None
    due: Any = True
    loss_scaled: bool = False

    def evaluate(self, params, gradient=True, batch=None):
        """Returns the `Point` at params.

        Args:
            params: List of tensors, a value for each trained variable.
            gradient: Bool, whether to compute the gradient.
            batch: `Batch` of the examples, or None for all.
        """
        raise NotImplementedError

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian at params times a list of tensors."""
        raise NotImplementedError

    def squared_gradients(self, params, examples):
        """Returns the mean square of the gradients of single examples."""
        raise NotImplementedError

    def outputs(self, params):
        """Returns the outputs of the model at params, of this replica."""
        raise NotImplementedError(_NO_OUTPUTS)

    def output_gradients(self, params, outputs, loss=None):
        """Returns the gradient of a loss with respect to outputs."""
        raise NotImplementedError(_NO_OUTPUTS)

    def linearized(self, gradients):
        """Returns a `Batch` whose loss has other gradients of the outputs."""
        raise NotImplementedError(_NO_OUTPUTS)

    def filters(self):
        """Returns the axes of filters, see `parts.Context`."""
        raise NotImplementedError

    def which(self, choice):
        """Returns which variables a choice has, see `parts.Context`."""
        raise NotImplementedError

    def chosen(self, samples, params, clean, context):
        """Returns the `Batch` of the examples that samples choose at params.

        Args:
            samples: `adapters.AdaptedSamples`, or None for all.
            params: List of tensors, the current point of the climb.
            clean: The `Point` z_0.
            context: `parts.Context`.
        """
        raise NotImplementedError

    def shared(self, tensors):
        """Returns the mean of tensors over the replicas that climb together.

        A replica that climbs on its own gets the tensors as they are.
        """
        return tensors

    def averaged(self, tensors):
        """Returns the mean over all replicas."""
        return tensors

    def value(self, number):
        """Returns a number as it is, or the present value of a schedule."""
        return number(self.iterations) if callable(number) else number

    def shared_point(self, point):
        """Returns a point with its loss and gradient `shared`."""
        *grads, loss = self.shared([*point.grads, point.loss])
        return point._replace(grads=grads, loss=loss, own_loss=point.loss)

    def finite(self, point):
        """Returns a list of a scalar bool, whether the gradient is finite.

        The list is empty without a loss scale.
        """
        return [vectors.all_finite(point.grads)] if self.loss_scaled else []

    def choose(self, due, clean, climbed, rested):
        """Calls one of two functions with an objective; returns its result.

        Args:
            due: Bool or scalar bool tensor, whether to call `climbed`.
            clean: The `Point` z_0.
            climbed, rested: Functions that take an objective.
        """
        del clean
        return control_flow.cond(
            due, lambda: climbed(self), lambda: rested(self)
        )


class Local(Objective):
    """The loss on the examples of this replica.

    Args:
        evaluator: `evaluator.Evaluator`.
        batch: `Batch`.
        state: List of tensors, the state that every pass starts from.
        iterations: Scalar int tensor.
        selection: `selection.Selection`, the variables that move.
    """

    def __init__(self, evaluator, batch, state, iterations, selection):
        self.iterations = iterations
        self.examples = batches.size(batch)
        self.selection = selection
        self.loss_scaled = evaluator.loss_scaled
        self._evaluator = evaluator
        self._batch = batch
        self._state = state

    def evaluate(self, params, gradient=True, batch=None):
        batch = self._batch if batch is None else batch
        return self._evaluator(params, self._state, batch, gradient)

    def hessian_vector_product(self, params, vector):
        return self._evaluator.hessian_vector_product(
            self._state, self._batch, params, vector
        )

    def squared_gradients(self, params, examples):
        return self._evaluator.squared_gradients(
            self._state, self._batch, params, examples
        )

    def outputs(self, params):
        return self.evaluate(params, gradient=False).y_pred

    def output_gradients(self, params, outputs, loss=None):
        return output_gradients.of_loss(
            self._evaluator, params, outputs, self._batch, loss
        )

    def linearized(self, gradients):
        return self._batch._replace(output_gradients=gradients)

    def filters(self):
        return _filters.axes(self._evaluator.model, self._evaluator.params)

    def which(self, choice):
        evaluator = self._evaluator
        return selections.which(choice, evaluator.params, evaluator.model)

    def averaged(self, tensors):
        return replicas.mean(tensors)

    def chosen(self, samples, params, clean, context):
        if samples is None:
            return self._batch
        batches.check("A choice of samples", self._batch)

        def losses_at(point):
            return example_losses.of_examples(
                self._evaluator.model, point.y_pred, self._batch
            )

        indices = samples(
            lambda: losses_at(clean),
            lambda: losses_at(self.evaluate(params, gradient=False)),
            context,
        )
        return batches.take(self._batch, indices)


class Synced(Local):
    """The mean loss over all replicas, which climb together."""

    def shared(self, tensors):
        return replicas.mean(tensors)

    def choose(self, due, clean, climbed, rested):
        """Calls both functions; returns the result that is due.

        Collectives cannot run in a conditional, so only the passes of the model
        run in one, see `Gated`.
        """
        if isinstance(due, bool):
            return super().choose(due, clean, climbed, rested)
        gated = Gated(self, due, clean)
        return tree.map_structure(
            lambda a, b: ops.where(due, a, b), climbed(gated), rested(gated)
        )


class _Relayed(Objective):
    """Hands calls on to another objective. Subclasses change some calls."""

    def __init__(self, of):
        self.iterations, self.examples = of.iterations, of.examples
        self.selection, self.due = of.selection, of.due
        self.loss_scaled = of.loss_scaled
        self._of = of

    def evaluate(self, params, gradient=True, batch=None):
        return self._of.evaluate(params, gradient, batch)

    def hessian_vector_product(self, params, vector):
        return self._of.hessian_vector_product(params, vector)

    def squared_gradients(self, params, examples):
        return self._of.squared_gradients(params, examples)

    def outputs(self, params):
        return self._of.outputs(params)

    def output_gradients(self, params, outputs, loss=None):
        return self._of.output_gradients(params, outputs, loss)

    def linearized(self, gradients):
        return self._of.linearized(gradients)

    def filters(self):
        return self._of.filters()

    def which(self, choice):
        return self._of.which(choice)

    def shared(self, tensors):
        return self._of.shared(tensors)

    def averaged(self, tensors):
        return self._of.averaged(tensors)

    def chosen(self, samples, params, clean, context):
        return self._of.chosen(samples, params, clean, context)


class Gated(_Relayed):
    """Another objective, evaluated only if it is due.

    If it is not due, loss and gradient are copied from the clean pass. Outputs
    and state always come from the clean pass. `sync_perturbations` needs this
    class, since its collectives cannot run in a conditional. (`samples` need
    the outputs of a pass, so the two cannot be combined.)
    """

    def __init__(self, of, due, clean):
        super().__init__(of)
        self.due = due
        self._clean = clean

    def evaluate(self, params, gradient=True, batch=None):
        clean = self._clean

        def evaluated():
            point = self._of.evaluate(params, gradient, batch)
            return point.loss, point.grads

        loss, grads = control_flow.cond(
            self.due,
            evaluated,
            lambda: (clean.loss, clean.grads if gradient else []),
        )
        return clean._replace(params=params, loss=loss, grads=grads)

    def outputs(self, params):
        clean = self._clean.y_pred
        outputs = control_flow.cond(
            self.due, lambda: self._of.outputs(params), lambda: clean
        )
        # A conditional returns tensors without their masks.
        _keras_internals.set_masks(outputs, _keras_internals.masks(clean))
        return outputs


class Restricted(_Relayed):
    """Another objective, as a function of the perturbed weights only.

    Args:
        of: `Objective`.
        params: List of tensors, the values of all weights. Weights that are
            not perturbed keep these values.
    """

    def __init__(self, of, params):
        super().__init__(of)
        self._params = params

    def evaluate(self, params, gradient=True, batch=None):
        point = super().evaluate(self._put(params), gradient, batch)
        if not gradient:
            return point
        return point._replace(grads=self.selection.pick(point.grads))

    def hessian_vector_product(self, params, vector):
        zeros = vectors.scale(0.0, self._params)
        product = super().hessian_vector_product(
            self._put(params), self.selection.put(zeros, vector)
        )
        return self.selection.pick(product)

    def squared_gradients(self, params, examples):
        squares = super().squared_gradients(self._put(params), examples)
        return self.selection.pick(squares)

    def outputs(self, params):
        return super().outputs(self._put(params))

    def output_gradients(self, params, outputs, loss=None):
        return super().output_gradients(self._put(params), outputs, loss)

    def filters(self):
        return self.selection.pick(super().filters())

    def which(self, choice):
        return self.selection.pick(super().which(choice))

    def _put(self, params):
        return self.selection.put(self._params, params)


class Selected(_Relayed):
    """With another choice of the variables that move."""

    def __init__(self, of, selection):
        super().__init__(of)
        self.selection = selection


class Alone(_Relayed):
    """Another objective, on this replica only.

    Replicas cannot reach each other inside a conditional.
    """

    def shared(self, tensors):
        return tensors
