"""The landscape of one batch."""

from keras import ops

from keras_sam import vectors


class Patch:
    """The loss on one batch, as a function of the weights.

    Args:
        index: Int.
        size: Int.
        means: Function from what to measure, the weights and more to the means
            over the examples, a list of tensors.

    Attributes:
        index: Int, which of the batches it is.
        size: Int, the number of its examples.
    """

    def __init__(self, index, size, means):
        self.index = index
        self.size = size
        self._means = means

    def loss(self, params):
        """Returns the mean loss, a scalar tensor."""
        return self._measured("loss", "loss", params)[0]

    def loss_and_gradient(self, params):
        """Returns the mean loss, and its gradient, a list of tensors."""
        loss, *grads = self._measured("gradient", "loss or gradient", params)
        return loss, grads

    def gradient(self, params):
        """Returns the gradient of the mean loss, a list of tensors."""
        return self.loss_and_gradient(params)[1]

    def hessian_vector_product(self, params, vector):
        """Returns the Hessian of the mean loss times a list of tensors."""
        name = "Hessian-vector product"
        return self._measured("product", name, params, vector)

    def squared_gradients(self, params, examples):
        """Returns the mean square of the gradients of single examples.

        Args:
            params: List of tensors.
            examples: Int; the first so many of the batch (of each replica), or
                all there are.
        """
        examples = ops.convert_to_tensor(examples)
        return self._measured("squares", "gradient", params, examples)

    def _measured(self, what, name, *of):
        found = self._means(what, *of)
        if not vectors.all_finite(found):
            raise FloatingPointError(
                f"The {name} must be finite. Received one that is not, on the "
                f"batch of index {self.index}"
            )
        return found
