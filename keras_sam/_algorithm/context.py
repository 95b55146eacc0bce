"""What a step offers to a part that asks for more than its arguments."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_sam import vectors
from keras_sam._algorithm import draws
from keras_sam._backend import control_flow


@dataclasses.dataclass(frozen=True)
class Context:
    """The step of training that a part works in.

    `params` are values of all trained variables, or of the perturbed ones for
    directions and starts. Everything is of the batch, or the part of it, that
    the climb is on; with `sync_perturbations` averaged over replicas.

    Attributes:
        iterations: Scalar int tensor, those of the optimizer.
        examples: Int or scalar int tensor, the size of the batch.
        ascent_step: Int, the number of steps of the climb already taken.
    """

    iterations: Any
    examples: Any
    ascent_step: int
    _evaluate: Callable
    _product: Callable
    _squares: Callable
    _share: Callable
    _average: Callable
    # Whether to climb, where that is not the branch of a conditional.
    _active: Any = True

    def loss(self, params):
        """Returns the loss at params, at the cost of a forward pass."""
        return self._share([self._evaluate(params, gradient=False).loss])[0]

    def gradient(self, params):
        """Returns the gradient at params, a list of tensors."""
        return self._share(self._evaluate(params).grads)

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian at params times a list of tensors."""
        return self._share(self._product(params, vector))

    def squared_gradients(self, params, examples):
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int; the first so many of the batch, or all there are.
        """
        return self._share(self._squares(params, examples))

    def average(self, tensor):
        """Returns the mean over replicas of a tensor, synchronized or not.

        Not for what a function for `when` does.
        """
        return self._average([tensor])[0]

    def when(self, due, function, otherwise):
        """Returns what a function returns when it is due.

        The function is called in a conditional, in which replicas cannot
        call on each other; what it returns is averaged afterwards.

        Args:
            due: Scalar bool tensor, the same on all replicas.
            function: Function from the `Context` of this replica alone to a
                list of tensors.
            otherwise: List of tensors of the same shapes, the same on all
                replicas.
        """
        alone = dataclasses.replace(self, _share=list)
        if self._active is not True:
            due = ops.logical_and(due, self._active)
        return self._share(
            control_flow.cond(due, lambda: function(alone), lambda: otherwise)
        )

    def draws(self, part):
        """Returns the `randomness.Draws` of a part that has a `seed`."""
        return draws.Draws(
            keras.saving.get_registered_name(type(part)),
            part.seed,
            self.iterations,
            self.ascent_step,
        )

    def value(self, number):
        """Returns a number as it is, and of a schedule the present value."""
        return number(self.iterations) if callable(number) else number

    def of(self, moving, params, ascent_step):
        """Returns the context of the perturbed variables.

        Args:
            moving: `perturbed.Moving`.
            params: Values of all variables, for those that do not move.
            ascent_step: Int.
        """

        def evaluate(moved, gradient=True):
            point = self._evaluate(moving.put(params, moved), gradient)
            return point._replace(
                grads=moving.pick(point.grads) if gradient else []
            )

        def product(moved, vector):
            zeros = vectors.scale(0.0, params)
            return moving.pick(
                self._product(
                    moving.put(params, moved), moving.put(zeros, vector)
                )
            )

        def squares(moved, examples):
            return moving.pick(
                self._squares(moving.put(params, moved), examples)
            )

        return dataclasses.replace(
            self,
            ascent_step=ascent_step,
            _evaluate=evaluate,
            _product=product,
            _squares=squares,
        )
