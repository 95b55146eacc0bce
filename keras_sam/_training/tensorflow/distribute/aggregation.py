"""The mean of outcomes over replicas."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from keras import tree

from keras_sam import vectors
from keras_sam._backend import batches
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._training import write_back


def mean(climb: Any, evaluator: Any, batch: Any, method: Any) -> Any:
    """Climbs on each replica; returns the mean of the outcomes.

    Args:
        climb: Function from a `Batch` and state to an `Outcome`.
        evaluator: `evaluator.Evaluator`.
        batch: `Batch` of this replica.
        method: `method.Method`.
    """
    outcome = climb(batch, values.read(evaluator.state))
    return aggregate(
        outcome,
        # The passes have told the evaluator what they update.
        write_back.statistics(evaluator),
        batches.size(batch),
        method.sync_perturbations,
    )


def aggregate(
    outcome: Any, statistics: Sequence[int], size: Any, synced: bool
) -> Any:
    """Returns the mean of outcomes over replicas.

    One collective moves all tensors of a type. As in the mean over the parts of
    a batch, only float tensors change. Loss and outputs stay: metrics add them
    up later. Statistics are weighted by size, so a replica without examples
    does not affect them. (Keras has statistics for each replica, and saves the
    first replica's.)

    Args:
        outcome: Outcome of this replica, a `NamedTuple` with the fields
            `grads`, `correction`, `memory` and `state`.
        statistics: Indices of the state that is averaged.
        size: Number of examples on this replica.
        synced: Whether gradients and memory are the same on all replicas.
    """
    if replicas.count() == 1:
        return outcome
    means = []
    if not synced:
        means = [outcome.grads, outcome.correction, outcome.memory]
    # Sums of many examples leave the range of float16.
    values = [vectors.wide(outcome.state[i]) for i in statistics]
    weighted = [
        tf.where(size > 0, tf.cast(size, value.dtype) * value, 0)
        for value in values
    ]
    sizes = [tf.cast(size, "float32")] if statistics else []
    moved = (means, weighted, sizes)
    moved = tree.pack_sequence_as(
        moved, replicas.reduced("sum", tree.flatten(moved))
    )
    (sums, weighted, sizes), state = moved, list(outcome.state)
    for i, value in zip(statistics, weighted, strict=True):
        average = value / tf.cast(sizes[0], value.dtype)
        state[i] = tf.cast(average, state[i].dtype)
    if synced:
        return outcome._replace(state=state)
    grads, correction, memory = tree.map_structure(_over_replicas, sums)
    return outcome._replace(
        grads=grads, correction=correction, memory=memory, state=state
    )


def _over_replicas(total: tf.Tensor) -> tf.Tensor:
    return total / replicas.count() if total.dtype.is_floating else total
