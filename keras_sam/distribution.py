"""Replicas: which there may be, and how their results become one."""

import tensorflow as tf
from keras import tree

SUPPORTED = (
    tf.distribute.OneDeviceStrategy,
    tf.distribute.MirroredStrategy,
    tf.distribute.MultiWorkerMirroredStrategy,
    tf.distribute.ParameterServerStrategy,
    tf.distribute.TPUStrategy,
)


def current():
    """Returns the strategy in whose scope this is."""
    return tf.distribute.get_strategy()


def strategic():
    """Whether there is a strategy at all."""
    return tf.distribute.has_strategy()


def replicas():
    """Returns the number of replicas in sync."""
    return current().num_replicas_in_sync


def mean(tensors):
    """Returns the mean over replicas of each float tensor of a list."""
    return _reduced("mean", tensors)


def aggregate(outcome, statistics, size, synced):
    """Returns the mean of outcomes over replicas.

    One collective moves all that is of one type. The mean is that over the
    parts of a batch, but for loss and outputs, which metrics add up later.
    Statistics are weighted by size, so that a replica without examples counts
    for nothing. (Keras keeps those of each replica apart, and saves the
    first's.)

    Args:
        outcome: `splits.Outcome` of this replica.
        statistics: Indices of the state that is averaged.
        size: Number of examples on this replica.
        synced: Whether gradients and memory are the same on all replicas.
    """
    if replicas() == 1:
        return outcome
    means = []
    if not synced:
        means = [outcome.grads, outcome.correction, outcome.memory]
    # Sums of many examples leave the range of float16.
    values = [_wide(outcome.state[i]) for i in statistics]
    weighted = [
        tf.where(size > 0, tf.cast(size, value.dtype) * value, 0)
        for value in values
    ]
    sizes = [tf.cast(size, "float32")] if statistics else []
    moved = (means, weighted, sizes)
    moved = tree.pack_sequence_as(moved, _reduced("sum", tree.flatten(moved)))
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


def _reduced(operation, tensors):
    """Reduces float tensors, those of one type in one collective."""
    if replicas() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    reduced = list(tensors)
    for dtype in dict.fromkeys(t.dtype for t in tensors if t.dtype.is_floating):
        indices = [i for i, t in enumerate(tensors) if t.dtype == dtype]
        found = context.all_reduce(operation, [tensors[i] for i in indices])
        for i, tensor in zip(indices, found, strict=True):
            reduced[i] = tensor
    return reduced


def _over_replicas(total):
    return total / replicas() if total.dtype.is_floating else total


def _wide(tensor):
    return tf.cast(tensor, "float32") if tensor.dtype.size < 4 else tensor


def compiles(xla, jit_compile=False):
    """Whether gradient evaluations are compiled with XLA.

    Args:
        xla: True, False, or "auto": on where there is anything but a CPU, on
            which TensorFlow's own kernels are faster.
        jit_compile: Whether `compile` was asked for it. On several replicas
            nothing else can be compiled.
    """
    if isinstance(current(), tf.distribute.TPUStrategy):
        return False  # The strategy compiles the whole step.
    if xla != "auto":
        return xla
    if jit_compile and replicas() > 1:
        return True
    return any(d.device_type != "CPU" for d in tf.config.list_logical_devices())


def check(model):
    """Checks that a model may be wrapped under the present strategy.

    Raises:
        ValueError: If the strategy is not supported, or the model was made in
            another one.
    """
    here = current()
    if tf.distribute.has_strategy() and not isinstance(here, SUPPORTED):
        names = [strategy.__name__ for strategy in SUPPORTED]
        raise ValueError(
            "Strategies of `tf.distribute` that can be trained under are "
            f"{names}. Received: {type(here).__name__}"
        )
    # A variable without the attribute is on one device, in any strategy.
    homes = [model.distribute_strategy] + [
        getattr(
            v.value, "distribute_strategy", None if replicas() > 1 else here
        )
        for v in model.variables
    ]
    for home in homes:
        if home is not here:
            raise ValueError(
                "`model` must be wrapped in the strategy scope that it was "
                f"made in. Received a model of {_name(home)}, wrapped under "
                f"{_name(here)}"
            )


def _name(strategy):
    return "no strategy" if strategy is None else type(strategy).__name__
