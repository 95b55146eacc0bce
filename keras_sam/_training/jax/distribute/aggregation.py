"""The mean of outcomes over devices that climb on their own."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from jax.sharding import PartitionSpec
from keras import tree

from keras_sam import _keras_internals
from keras_sam._algorithm import splits
from keras_sam._backend import batches
from keras_sam._backend import values
from keras_sam._backend import variables
from keras_sam._backend.jax import replicas
from keras_sam._evaluation.jax.scope import Scope
from keras_sam._training import write_back
from keras_sam._training.jax.distribute import feeding
from keras_sam._types import Batch
from keras_sam._types import Outcome

_WHO = (
    "A climb of each device on its own (`sync_perturbations=False` on several "
    "devices)"
)


def mean(climb: Callable, evaluator: Any, batch: Batch, method: Any) -> Any:
    """Climbs on each device; returns the mean of the outcomes.

    Where all devices climb together, or there is no climb, the step is the step
    of one device with the whole batch, and XLA divides the work.

    Args:
        climb: Function from a `Batch` and state to an `Outcome`.
        evaluator: `evaluator.Evaluator`.
        batch: `Batch` of all devices.
        method: `method.Method`.

    Raises:
        ValueError: If devices cannot climb on their own.
    """
    state = values.read(evaluator.state)
    distribution = keras.distribution.distribution()
    if (
        distribution is None
        or method.sync_perturbations
        or method.ascent_steps == 0
        or replicas.parts(distribution) == 1
    ):
        return climb(batch, state)
    return _on_each(climb, evaluator, batch, state, distribution)


def _on_each(
    climb: Callable,
    evaluator: Any,
    batch: Batch,
    state: list,
    distribution: Any,
) -> Any:
    batches.check(_WHO, batch)
    axis = distribution.batch_dim_name
    _check_whole(evaluator.params, axis)
    part: Any = PartitionSpec(axis)
    whole: Any = PartitionSpec()

    # What a climb reads must come in as an argument: a value from outside lies
    # on all devices, and a tensor like it could not be made on one.
    model = evaluator.model
    read = variables.unique([*model.variables, model.optimizer.iterations])

    def here(batch: Batch, state: list, given: list) -> Any:
        with replicas.along(axis), Scope(zip(read, given, strict=True)):
            share = 1 / replicas.parts(distribution)
            batch = splits.scaled(
                batch, _scales(evaluator, batch, state, share)
            )
            outcome = _mean(climb(batch, state), evaluator, state)
        # Tensors lose their attributes on the way out.
        return outcome, _keras_internals.masks(outcome.y_pred)

    results = Outcome(*[whole] * len(Outcome._fields))._replace(y_pred=part)
    mapped = jax.shard_map(
        here,
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(part, whole, whole),
        out_specs=(results, part),
        # Along other axes of the mesh XLA divides the work.
        axis_names={axis},
        # Else JAX would sum gradients over devices by itself.
        check_vma=False,
    )
    # Where Keras does not compile the step, it is compiled here, each time: JAX
    # would map each operation on its own, which takes minutes.
    outcome, masks = jax.jit(mapped)(batch, state, values.read(read))
    _keras_internals.set_masks(outcome.y_pred, masks)
    return outcome


def _check_whole(params: list[keras.Variable], axis: str) -> None:
    """Checks that each device along an axis has all weights.

    Raises:
        ValueError: If a variable is sharded along the axis.
    """
    for variable in params:
        if axis in feeding.axes(variable):
            raise ValueError(
                f"{_WHO} needs all weights on each device along the axis "
                f"{axis!r}, which divides the batch. Shard weights along "
                "another axis of the mesh, or choose "
                "`sync_perturbations=True`. Received the variable "
                f"{variable.path!r}, sharded along {feeding.axes(variable)}"
            )


def _scales(
    evaluator: Any, batch: Batch, state: list, share: float
) -> list | None:
    """Returns the factors of the losses of this device, see `splits.scales`.

    With them the mean of the losses over devices is the loss of the batch.
    """
    weights = values.read(evaluator.params)
    outputs = evaluator(weights, state, batch, gradient=False).y_pred
    splits.check_outputs(_WHO, outputs)
    found = splits.scales(
        evaluator.model,
        [splits.Piece(batch, batches.size(batch), share)],
        iter([outputs]),
        _WHO,
        total=replicas.total,
    )
    return None if found is None else found[0]


def _mean(outcome: Any, evaluator: Any, state: list) -> Any:
    """Returns the mean of the outcomes of all devices.

    As in the mean over the parts of a batch, only float tensors change. One
    collective moves them all.
    """
    statistics = write_back.statistics(evaluator)
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
    return outcome._replace(
        loss=loss,
        grads=grads,
        correction=correction,
        state=_with_metrics(evaluator, new, state),
        overwrites=replicas.reduced("max", outcome.overwrites),
        memory=memory,
        measured=measured,
    )


def _with_metrics(evaluator: Any, new: list, old: list) -> list:
    """Returns the state with the metrics that the model itself updates.

    They add up over the examples of all devices.
    """
    sums = evaluator.accumulators
    updated = [
        i
        for i in range(sums.start, sums.stop)
        if id(evaluator.state[i]) in evaluator.updated
    ]
    changes = replicas.reduced("sum", [new[i] - old[i] for i in updated])
    state = list(new)
    for i, change in zip(updated, changes, strict=True):
        state[i] = old[i] + change
    return state
