"""A loss that is linear in the outputs of a model."""

import functools

from keras import ops
from keras import tree

from keras_sam import _keras_internals
from keras_sam._backend import batches


def terms(y_pred, output_gradients):
    """Returns a function of outputs that has the given gradients, a scalar.

    Args:
        y_pred: The outputs of a model, any structure.
        output_gradients: Structure of `y_pred`, of tensors of the same shapes,
            and None for zeros.

    Raises:
        ValueError: If the structures or the shapes differ.
    """
    try:
        tree.assert_same_structure(y_pred, output_gradients)
    except (TypeError, ValueError) as error:
        raise _misfit(y_pred, output_gradients) from error
    found = []
    pairs = zip(
        tree.flatten(y_pred), tree.flatten(output_gradients), strict=True
    )
    for output, grad in pairs:
        if grad is None:
            continue
        if not batches.fit(output.shape, grad.shape):
            raise _misfit(y_pred, output_gradients)
        found.append(ops.sum(grad * ops.cast(output, grad.dtype)))
    return functools.reduce(ops.add, found) if found else 0.0


def copies(y_pred, copy):
    """Returns outputs copied by a function, with their masks.

    Raises:
        ValueError: If an output is ragged or sparse.
    """
    if not all(map(batches.is_dense, tree.flatten(y_pred))):
        raise not_dense(y_pred)

    def copied(output):
        result = copy(output)
        _keras_internals.copy_mask(output, result)
        return result

    return tree.map_structure(copied, y_pred)


def not_dense(y_pred):
    """Returns the error that an output is ragged or sparse."""
    return ValueError(
        "Gradients of outputs need outputs that are dense tensors. "
        f"Received: {batches.described(y_pred)}"
    )


def _misfit(y_pred, output_gradients):
    return ValueError(
        "`output_gradients` must have the structure and the shapes of the "
        f"outputs, {batches.described(y_pred)}. Received: "
        f"{batches.described(output_gradients)}"
    )
