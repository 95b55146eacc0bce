"""The examples of a batch, as `batches.py` of all backends see them."""

import functools

from keras import tree

from keras_sam import _keras_internals


def of(batch):
    """Returns the parts of a `Batch` whose rows are its examples."""
    return batch.x, batch.y, batch.sample_weight


def tensors(batch):
    """Returns the list of all tensors whose rows are the examples."""
    return [t for t in tree.flatten(of(batch)) if t is not None]


def error(needs, described):
    """Returns the error that tensors do not have equally many rows.

    Args:
        needs: String, what needs the examples.
        described: The tensors in words, in their structure.
    """
    return ValueError(
        f"{needs} needs inputs, targets and sample weights whose first axis is "
        "that of the examples, with equally many examples. Graphs that are "
        f"joined to one, for example, do not have it. Received: {described}"
    )


def selected(batch, select):
    """Returns the `Batch` of some of the examples.

    Args:
        batch: `Batch`.
        select: Function of a tensor that returns some of its rows.
    """
    x, y, sample_weight = rows(of(batch), select)
    return batch._replace(x=x, y=y, sample_weight=sample_weight)


def rows(structure, select):
    """Returns some rows of all tensors of a structure, and of their masks.

    Args:
        structure: Nested structure of tensors and None.
        select: Function of a tensor that returns some of its rows.
    """
    return tree.map_structure(
        functools.partial(_with_mask, select=select), structure
    )


def joined(tensors, concatenate):
    """Returns the rows of several tensors, and of their masks, as one.

    Args:
        tensors: Sequence of tensors, or of None.
        concatenate: Function of a list of tensors.
    """
    if tensors[0] is None:
        return None
    result = concatenate(list(tensors))
    masks = [_keras_internals.mask(tensor) for tensor in tensors]
    if masks[0] is not None:
        _keras_internals.set_mask(result, concatenate(masks))
    return result


def _with_mask(tensor, select):
    if tensor is None:
        return None
    found = select(tensor)
    mask = _keras_internals.mask(tensor)
    _keras_internals.set_mask(found, _with_mask(mask, select))
    return found
