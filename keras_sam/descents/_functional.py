"""A descent that separates the outputs of the model from its loss."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_sam._registration import exported
from keras_sam.parts import Context
from keras_sam.parts import Descent


@exported
@dataclasses.dataclass(frozen=True)
class Functional(Descent):
    """`J(z_n)^T c`, J the Jacobian of the outputs, c that of the loss at z_0.

    c is the derivative of the loss by the outputs. `Last` takes both factors of
    the chain rule at z_n. Here the climb changes the first one only, so the
    descent cannot lower the loss at z_n by way of the outputs alone. If the
    loss is linear in the outputs, both are the same.

    What does not go through the outputs is as with `Last`: the gradients of
    regularizers, and of losses that layers add, are at z_n. (The paper has no
    such terms.) A model may have several outputs, in any structure. They must
    be dense tensors.

    Reference: Functional SAM, arXiv:2502.02407, as in a secondary source
    (junaidaliop/zij). The paper's listing, in its appendix C, was not read.
    """

    skips_end = True

    def check(self, arguments: Mapping[str, Any]) -> None:
        samples = arguments["descent_samples"]
        if samples is not None:
            raise ValueError(
                "`descent_samples` must be None with the descent Functional, "
                "which takes outputs of the clean pass, on all examples. "
                f"Received: {samples!r}"
            )

    def finish(self, clean: Any, last: Any, *, context: Context) -> list:
        slopes = context.output_gradients(clean.params, clean.y_pred)
        return context.gradient(last.params, slopes)
