"""What a part may ask for besides its arguments."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any


class Context:
    """What a step offers to a part that asks for more than its arguments.

    `params` are values of all trained variables; for directions and starts, of
    the perturbed variables. Losses and gradients are on the examples of the
    climb: the batch, or a part of it. With `sync_perturbations` they are
    averaged over replicas.

    Attributes:
        iterations: Scalar int tensor, the optimizer's iterations.
        examples: Int or scalar int tensor, the size of the batch.
        ascent_step: Int, the number of steps of the climb already taken. For
            a direction with `loops` it may be a scalar int tensor.
        rho: Float or scalar tensor, the present value of the wrapper's `rho`.
    """

    iterations: Any
    examples: Any
    ascent_step: Any
    rho: Any

    def climb(self) -> Iterator:
        """Returns one more climb from z_0, an iterator like `path`.

        Directions draw other numbers in it than in `path`, so a descent can
        sample points. Its points cost what those of `path` cost. Each climb
        starts with the memory of the direction from before the step, and only
        `path` changes this memory. Only a descent can call this.
        """
        raise NotImplementedError

    def loss(self, params: list) -> Any:
        """Returns the loss at params, at the cost of a forward pass."""
        raise NotImplementedError

    def gradient(self, params: list, output_gradients: Any = None) -> list:
        """Returns the gradient at params, a list of tensors.

        With `output_gradients`, the gradient `J^T c + R`. J is the Jacobian of
        the outputs at params, and c takes the place of the derivative of the
        loss by the outputs. R is the gradient of what does not go through the
        outputs: regularizers, losses that layers add, and what an override of
        `compute_loss` computes from the weights. The cost is the same.

        Args:
            params: List of tensors.
            output_gradients: Structure of the outputs, as `output_gradients`
                returns it: tensors of the shapes of the outputs, or None where
                there is nothing to add. Each replica passes its own.

        Raises:
            ValueError: If `output_gradients` has another structure, or if an
                output is ragged or sparse.
        """
        raise NotImplementedError

    def outputs(self, params: list) -> Any:
        """Returns the outputs at params, at the cost of a forward pass.

        They are those of training mode, with the dropout masks of the clean
        pass, for the examples of this replica. Each replica gets its own, also
        with `sync_perturbations`. So a part that makes a number of them must
        average it with `average`. TRAM (arXiv:2310.03646) makes a radius of the
        divergence between outputs at two points: a direction that evaluates
        both here, and multiplies its step by it.
        """
        raise NotImplementedError

    def output_gradients(
        self,
        params: list,
        outputs: Any,
        loss: Callable[[Any, Any], Any] | None = None,
    ) -> Any:
        """Returns the gradient of the loss with respect to the outputs.

        It calls the loss, but not the model. A descent has the outputs at z_0
        as `clean.y_pred`. With `gradient` the two factors of the chain rule may
        be those of different points (`descents.Functional`), or of a different
        loss (`directions.LowerBound`).

        Args:
            params: List of tensors.
            outputs: The outputs of the model at params, any structure.
            loss: Function of the targets and the outputs that returns a scalar
                tensor, to take the place of the loss of the model; or None.

        Returns:
            Structure of `outputs`: a tensor of at least float32, or None for an
            output that is not float, or that the loss does not depend on. They
            are those of the examples of this replica.

        Raises:
            ValueError: If an output is ragged or sparse, or if `loss` returns
                no scalar.
        """
        raise NotImplementedError

    def hessian_vector_product(self, params: list, vector: list) -> list:
        """Returns the Hessian at params times a list of tensors."""
        raise NotImplementedError

    def squared_gradients(self, params: list, examples: int) -> list:
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int, the largest number of examples to use, from the
                first of the batch on.
        """
        raise NotImplementedError

    def filters(self) -> list[tuple[int, ...] | None]:
        """Returns the axes that number the filters, for each variable.

        A filter is the part of a kernel that makes one output. It holds all
        entries that share their indices along these axes. A variable without
        filters, such as a bias, has None.
        """
        raise NotImplementedError

    def which(self, choice: Any) -> list[bool]:
        """Returns whether a choice of variables has each variable.

        Args:
            choice: As `perturb` of the wrapper: None for all variables, a
                regular expression on variable paths, or a predicate of a Keras
                variable.

        Raises:
            ValueError: If the choice has no trained variable.
        """
        raise NotImplementedError

    def average(self, tensor: Any) -> Any:
        """Returns the mean of a tensor over replicas.

        It does so with and without `sync_perturbations`. A function for `when`
        must not call it.
        """
        raise NotImplementedError

    def when(
        self, due: Any, function: Callable[["Context"], list], otherwise: list
    ) -> list:
        """Returns the result of a function if it is due, else other tensors.

        The function runs in a conditional, where replicas cannot reach each
        other. With `sync_perturbations` its result is averaged over replicas
        afterwards.

        Args:
            due: Scalar bool tensor, the same on all replicas.
            function: Function that takes the `Context` of this replica only
                and returns a list of tensors.
            otherwise: List of tensors of the same shapes, the same on all
                replicas.
        """
        raise NotImplementedError

    def draws(self, part: Any) -> Any:
        """Returns the random draws of a part with an attribute `seed`.

        The draws have methods `uniform(shape)` and `normal(shape, dtype)`. They
        depend on the class of the part, on its seed, on the optimizer's
        iterations, on `ascent_step` and on the climb, see `climb`. All replicas
        draw the same numbers.
        """
        raise NotImplementedError

    def value(self, number: Any) -> Any:
        """Returns a number as it is, or the present value of a schedule."""
        raise NotImplementedError
