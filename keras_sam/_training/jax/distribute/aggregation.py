"""The mean of outcomes over devices that climb on their own."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from jax.sharding import PartitionSpec
from keras import tree

from keras_sam._backend import batches
from keras_sam._backend import replicas
from keras_sam._backend import values
from keras_sam._training import write_back
from keras_sam._training.jax.distribute import feeding
from keras_sam._types import Outcome


def mean(climb: Callable, evaluator: Any, batch: Any, method: Any) -> Any:
    """Climbs on each device; returns the mean of the outcomes.

    Where all devices climb together, or there is no climb, the step is the step
    of one device with the whole batch, and XLA divides the work.

    Args:
        climb: Function from a `Batch` and state to an `Outcome`.
        evaluator: `evaluator.Evaluator`.
        batch: `Batch` of all devices.
        method: `method.Method`.
    """
    state = values.read(evaluator.state)
    distribution = keras.distribution.distribution()
    if (
        distribution is None
        or method.sync_perturbations
        or method.ascent_steps == 0
        or feeding.of_batch(distribution) == 1
    ):
        return climb(batch, state)
    return _on_each(climb, evaluator, batch, state, distribution)


def _on_each(
    climb: Callable, evaluator: Any, batch: Any, state: list, distribution: Any
) -> Any:
    batches.check("A climb of each device on its own", batch)
    axis = distribution.batch_dim_name
    parts, whole = PartitionSpec(axis), PartitionSpec()

    def here(batch: Any, state: list) -> Any:
        with replicas.along(axis):
            outcome = climb(batch, state)
            return _aggregated(outcome, evaluator, state)

    results = Outcome(*[whole] * len(Outcome._fields))._replace(y_pred=parts)
    return jax.shard_map(
        here,
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(parts, whole),
        out_specs=results,
        # Else JAX would sum gradients over devices by itself.
        check_vma=False,
    )(batch, state)


def _aggregated(outcome: Any, evaluator: Any, state: list) -> Any:
    """Returns the mean of the outcomes of all devices.

    As in the mean over the parts of a batch, only float tensors change. One
    collective moves them all.
    """
    statistics = write_back.statistics(evaluator)
    sums = range(evaluator.accumulators.start, evaluator.accumulators.stop)
    means = (
        outcome.loss,
        outcome.grads,
        outcome.correction,
        outcome.memory,
        outcome.measured,
        [outcome.state[i] for i in statistics],
    )
    means = tree.pack_sequence_as(means, replicas.mean(tree.flatten(means)))
    loss, grads, correction, memory, measured, found = means
    new = list(outcome.state)
    for i, value in zip(statistics, found, strict=True):
        new[i] = value
    # Metrics that the model itself updates add up over all examples.
    updated = [i for i in sums if id(evaluator.state[i]) in evaluator.updated]
    changes = replicas.reduced("sum", [new[i] - state[i] for i in updated])
    for i, change in zip(updated, changes, strict=True):
        new[i] = state[i] + change
    return outcome._replace(
        loss=loss,
        grads=grads,
        correction=correction,
        state=new,
        overwrites=replicas.reduced("max", outcome.overwrites),
        memory=memory,
        measured=measured,
    )
