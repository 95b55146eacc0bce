"""m-sharpness on one device: parts of a batch that climb on their own."""

import functools
import itertools
from typing import NamedTuple

import keras
from keras import ops
from keras import tree

from keras_sam import vectors
from keras_sam._backend import batches
from keras_sam._evaluation import compiled_losses
from keras_sam._types import Batch

SPLITS = "`num_batch_splits`"


class Piece(NamedTuple):
    """A part of a batch.

    Attributes:
        batch: `Batch` of the part.
        rows: Int or scalar int tensor, the number of its examples that count.
        share: Float or scalar float tensor, `rows` over the size of the batch.
    """

    batch: Batch
    rows: int
    share: float


def mean(climb, outputs, model, batch, parts, state, accumulators):
    """Climbs on each part of a batch; returns the mean weighted by size.

    All parts start from the same state, as replicas do. The float state that
    the parts return is averaged. The integer state (seeds) of the first part is
    kept. Only metrics are handed on from part to part.

    The compiled losses of a part have factors such that the mean over parts is
    the loss of the batch, see `scales`.

    Args:
        climb: Function from a `Batch` and state to an `Outcome`.
        outputs: Function from a `Batch` to the outputs of the model.
        model: `keras.Model`, compiled.
        batch: `Batch` whose tensors share their first axis.
        parts: Int, the number of parts. 1 climbs on the batch as it is.
        state: List of tensors.
        accumulators: Slice of the state that holds metrics.

    Returns:
        `Outcome`.
    """
    if parts == 1:
        return climb(batch, state)
    pieces = list(split(batch, parts))
    outcome = climb(pieces[0].batch, state)
    # The outputs tell which losses have factors, by masks. Most have none.
    others = (outputs(piece.batch) for piece in pieces[1:])
    factors = scales(model, pieces, itertools.chain([outcome.y_pred], others))
    outcomes, y_preds = [], []
    for i, piece in enumerate(pieces):
        if i > 0 or factors is not None:
            outcome = climb(scaled(piece.batch, factors and factors[i]), state)
        metrics = [
            ops.where(piece.share > 0, new, old)
            for new, old in zip(
                outcome.state[accumulators], state[accumulators], strict=True
            )
        ]
        state = [*state[: accumulators.start], *metrics]
        y_preds.append(_counted(outcome.y_pred, piece.rows))
        outcomes.append(outcome._replace(y_pred=()))
    shares = [piece.share for piece in pieces]
    average = tree.map_structure(
        lambda *values: _average(values, shares), *outcomes
    )
    average.state[accumulators] = metrics
    return average._replace(
        y_pred=tree.map_structure(batches.concatenate, *y_preds),
        # Overwrites are largest magnitudes, so the largest counts. Keras does
        # the same over accumulated steps.
        overwrites=[
            functools.reduce(ops.maximum, values)
            for values in zip(*(o.overwrites for o in outcomes), strict=True)
        ],
    )


def split(batch, parts):
    """Yields the `Piece`s of a batch.

    With fewer examples than parts, surplus parts repeat an example of another
    part. They have 0 rows and share 0, so they do not affect the result.
    """
    batches.check(SPLITS, batch)
    size = batches.size(batch)
    larger = max if isinstance(size, int) else ops.maximum
    for part in range(parts):
        start, stop = size * part // parts, size * (part + 1) // parts
        piece = batches.part(batch, start, larger(start + 1, stop))
        yield Piece(piece, stop - start, (stop - start) / larger(size, 1))


def _sum(divisors):
    return functools.reduce(ops.add, divisors)


def scales(model, pieces, outputs, who=SPLITS, total=_sum):
    """Returns the factors of the compiled losses in each piece, or None.

    A piece with share s and divisor D_i has the factor D_i / (s D), where D is
    the divisor of the whole batch. Then the mean of the losses of the pieces,
    weighted by their shares, is the loss of the batch. A sum over examples has
    the divisor 1, and the factor 1 / s. All factors are 1 where each example
    has equally many values.

    Args:
        model: `keras.Model`, compiled.
        pieces: List of `Piece`s.
        outputs: Iterator over the outputs of the model for each piece. It is
            read as far as needed.
        who: String, what needs the factors.
        total: Function from the divisors of a loss in the pieces to the divisor
            of the whole batch.

    Returns:
        List of a list of scalar tensors, and None for 1, for each piece. None
        if all factors are 1.

    Raises:
        ValueError: If a loss is no sum over examples over a divisor.
    """
    first = compiled_losses.divisors(model, pieces[0].batch, next(outputs), who)
    if all(divisor is None for divisor in first):
        return None
    divisors = [first] * len(pieces)
    if any(ops.is_tensor(divisor) for divisor in first):
        divisors[1:] = [
            compiled_losses.divisors(model, piece.batch, y_pred, who)
            for piece, y_pred in zip(pieces[1:], outputs, strict=True)
        ]
    by_loss = [
        _factors(of_pieces, [piece.share for piece in pieces], total)
        for of_pieces in zip(*divisors, strict=True)
    ]
    return [list(of_losses) for of_losses in zip(*by_loss, strict=True)]


def check_outputs(needs, y_pred):
    """Checks that all outputs have a batch axis.

    Args:
        needs: String, what needs it, to begin the message.
        y_pred: The outputs of the model, which may hold None.

    Raises:
        ValueError: If an output has none.
    """
    if any(t is not None and t.shape == () for t in tree.flatten(y_pred)):
        raise ValueError(
            f"{needs} needs outputs with a batch axis. "
            f"Received: {batches.described(y_pred)}"
        )


def scaled(batch, factors):
    """Returns a batch with more factors of its compiled losses.

    Args:
        batch: `Batch`, with factors or without.
        factors: List of a scalar tensor, or None for 1, for each loss; or None.
    """
    if factors is None or batch.scales is None:
        return batch._replace(scales=factors or batch.scales)
    pairs = zip(batch.scales, factors, strict=True)
    return batch._replace(scales=[_product(*pair) for pair in pairs])


def _product(first, second):
    if first is None or second is None:
        return second if first is None else first
    return first * second


def _factors(divisors, shares, total):
    """Returns the factors of one loss in all pieces."""
    if divisors[0] is None:
        return divisors
    if divisors[0] is compiled_losses.ONE:
        shares = [ops.cast(share, keras.config.floatx()) for share in shares]
        return [ops.divide_no_nan(ops.ones_like(s), s) for s in shares]
    # A part with share 0 repeats an example of another part.
    divisors = [
        ops.where(share > 0, divisor, 0)
        for share, divisor in zip(shares, divisors, strict=True)
    ]
    whole = total(divisors)
    return [
        ops.divide_no_nan(divisor, whole * ops.cast(share, whole.dtype))
        for share, divisor in zip(shares, divisors, strict=True)
    ]


def _counted(y_pred, rows):
    check_outputs(SPLITS, y_pred)
    return batches.first(y_pred, rows)


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
