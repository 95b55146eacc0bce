"""m-sharpness on one device: parts of a batch that climb on their own."""

import functools

import keras
from keras import ops
from keras import tree

from keras_sam import _keras_internals
from keras_sam import vectors


def mean(climb, batch, parts, state, accumulators):
    """Climbs on each part of a batch; returns the mean weighted by size.

    All parts start from the same state, as replicas do. The float state that
    the parts return is averaged. The integer state (seeds) of the first part is
    kept. Only metrics are handed on from part to part.

    Args:
        climb: Function from a `Batch` and state to an `Outcome`.
        batch: `Batch` whose tensors share their first axis.
        parts: Int, the number of parts. 1 climbs on the batch as it is.
        state: List of tensors.
        accumulators: Slice of the state that holds metrics.

    Returns:
        `Outcome`.
    """
    if parts == 1:
        return climb(batch, state)
    outcomes, shares, y_preds = [], [], []
    for piece, rows, share in split(batch, parts):
        outcome = climb(piece, state)
        metrics = [
            ops.where(share > 0, new, old)
            for new, old in zip(
                outcome.state[accumulators], state[accumulators], strict=True
            )
        ]
        state = [*state[: accumulators.start], *metrics]
        counts = functools.partial(_rows, rows=slice(rows))
        y_preds.append(tree.map_structure(counts, outcome.y_pred))
        outcomes.append(outcome._replace(y_pred=()))
        shares.append(share)
    average = tree.map_structure(
        lambda *values: _average(values, shares), *outcomes
    )
    average.state[accumulators] = metrics
    return average._replace(
        y_pred=tree.map_structure(_concatenate, *y_preds),
        # Overwrites are largest magnitudes, so the largest counts. Keras does
        # the same over accumulated steps.
        overwrites=[
            functools.reduce(ops.maximum, values)
            for values in zip(*(o.overwrites for o in outcomes), strict=True)
        ],
    )


def split(batch, parts):
    """Yields each part of a batch, its number of rows, and its share.

    With fewer examples than parts, surplus parts repeat an example of another
    part. They have 0 rows and share 0, so they do not affect the result.
    """
    tensors = [t for t in tree.flatten(batch) if t is not None]
    known = {t.shape[0] for t in tensors if len(t.shape)} - {None}
    if (
        len(known) > 1
        or not all(len(t.shape) for t in tensors)
        or not all(hasattr(t, "__getitem__") for t in tensors)
    ):
        raise ValueError(
            "`num_batch_splits` needs dense or ragged tensors with one batch "
            f"axis in common. Received: {batch}"
        )
    size = ops.shape(tensors[0])[0]
    larger = max if isinstance(size, int) else ops.maximum
    for part in range(parts):
        start, stop = size * part // parts, size * (part + 1) // parts
        rows = slice(start, larger(start + 1, stop))
        piece = tree.map_structure(functools.partial(_rows, rows=rows), batch)
        yield piece, stop - start, (stop - start) / larger(size, 1)


def _rows(tensor, rows):
    if tensor is None:
        return None
    if len(tensor.shape) == 0:
        raise ValueError(
            "`num_batch_splits` needs outputs with a batch axis. "
            f"Received: {tensor}"
        )
    part = tensor[rows]
    _keras_internals.set_mask(part, _rows(_keras_internals.mask(tensor), rows))
    return part


def _concatenate(*tensors):
    masks = [_keras_internals.mask(tensor) for tensor in tensors]
    result = ops.concatenate(tensors)
    if masks[0] is not None:
        _keras_internals.set_mask(result, ops.concatenate(masks))
    return result


def _average(values, shares):
    if not keras.backend.is_float_dtype(values[0].dtype):
        return values[0]
    # `where`, since a part with share 0 may hold NaN.
    return functools.reduce(
        ops.add,
        [
            ops.where(share > 0, vectors.scale(share, [value])[0], 0)
            for share, value in zip(shares, values, strict=True)
        ],
    )
