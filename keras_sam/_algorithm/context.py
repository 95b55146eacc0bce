"""The context of a step: what a part may ask for beyond its arguments."""

import keras
from keras import ops

from keras_sam import parts
from keras_sam._algorithm import objective as objectives
from keras_sam._algorithm.draws import Draws
from keras_sam._backend import control_flow

_COMPARES = "A part that compares losses (`context.loss`), as SearchedSlerp,"


class StepContext(parts.Context):
    """A `parts.Context` that answers from an objective.

    Args:
        objective: `objective.Objective`, a function of the `params` that a
            part passes.
        rho: Float, scalar tensor or schedule, the radius.
        ascent_step: Int, the number of steps of the climb already taken. In a
            loop over the steps it is a scalar int tensor.
        climb: Int, the number of the climb within the train step.
        another: Function that returns one more climb, or None if the part is
            no descent.
    """

    def __init__(self, objective, rho, ascent_step=0, climb=0, another=None):
        self._objective = objective
        self._rho = rho
        self._climb, self._another = climb, another
        self.iterations = objective.iterations
        self.examples = objective.examples
        self.ascent_step = ascent_step

    @property
    def rho(self):
        # A schedule costs something only where a part asks.
        return self._objective.value(self._rho)

    def climb(self):
        if self._another is None:
            raise ValueError(
                "`context.climb` must be called by a descent, outside of the "
                "function for `context.when`. Received a call of another part"
            )
        return self._another()

    def loss(self, params):
        at = self._objective
        loss = at.evaluate(params, gradient=False).loss
        return at.shared([objectives.scalar(loss, _COMPARES)])[0]

    def gradient(self, params, output_gradients=None):
        at, batch = self._objective, None
        if output_gradients is not None:
            batch = at.linearized(output_gradients)
        return at.shared(at.evaluate(params, batch=batch).grads)

    def outputs(self, params):
        return self._objective.outputs(params)

    def output_gradients(self, params, outputs, loss=None):
        return self._objective.output_gradients(params, outputs, loss)

    def hessian_vector_product(self, params, vector):
        at = self._objective
        return at.shared(at.hessian_vector_product(params, vector))

    def squared_gradients(self, params, examples):
        at = self._objective
        return at.shared(at.squared_gradients(params, examples))

    def filters(self):
        return self._objective.filters()

    def which(self, choice):
        return self._objective.which(choice)

    def average(self, tensor):
        return self._objective.averaged([tensor])[0]

    def when(self, due, function, otherwise):
        at = self._objective
        alone = StepContext(
            objectives.Alone(at), self._rho, self.ascent_step, self._climb
        )
        if at.due is not True:
            due = ops.logical_and(due, at.due)
        return at.shared(
            control_flow.cond(due, lambda: function(alone), lambda: otherwise)
        )

    def draws(self, part):
        return Draws(
            keras.saving.get_registered_name(type(part)),
            part.seed,
            self.iterations,
            self.ascent_step,
            self._climb,
        )

    def value(self, number):
        return self._objective.value(number)
