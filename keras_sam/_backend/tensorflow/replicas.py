"""The replicas and workers of a strategy, and means over replicas."""

import tensorflow as tf


def of(model):
    """Returns the strategy that a model was made under."""
    return model.distribute_strategy


def scope(strategy):
    """Returns the context in which a strategy creates variables."""
    return strategy.scope()


def current():
    """Returns the strategy of the current scope."""
    return tf.distribute.get_strategy()


def strategic():
    """Whether the current scope is the scope of a strategy."""
    return tf.distribute.has_strategy()


def has_own(strategy):
    """Whether a strategy is one that the user has made."""
    with strategy.scope():
        return strategic()


def count():
    """Returns the number of replicas in sync."""
    return current().num_replicas_in_sync


def mean(tensors):
    """Returns the mean over replicas of each float tensor of a list."""
    return reduced("mean", tensors)


def reduced(operation, tensors):
    """Returns tensors, with float tensors reduced over replicas.

    One collective reduces all tensors of a dtype.

    Args:
        operation: "mean" or "sum".
        tensors: List of tensors.
    """
    if count() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    results = list(tensors)
    for dtype in dict.fromkeys(t.dtype for t in tensors if t.dtype.is_floating):
        indices = [i for i, t in enumerate(tensors) if t.dtype == dtype]
        # `context.all_reduce` would do, but it registers a function for its
        # own gradient, which holds the graph, and TensorFlow never forgets it.
        found = context.merge_call(
            _all_reduce, args=(operation, *[tensors[i] for i in indices])
        )
        for i, tensor in zip(indices, found, strict=True):
            results[i] = tensor
    return results


def _all_reduce(strategy, operation, *values):
    return strategy.extended.batch_reduce_to(
        tf.distribute.ReduceOp(operation.upper()),
        [
            # A worker with one replica has tensors.
            (value, value.device if tf.is_tensor(value) else value)
            for value in values
        ],
    )


def tasks(strategy):
    """Returns (type, index) of every worker in sync, the first one first.

    The list is empty for any strategy but `MultiWorkerMirroredStrategy` on a
    cluster.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return []
    spec = strategy.cluster_resolver.cluster_spec()
    if strategy.cluster_resolver.task_type not in ("chief", "worker"):
        return []  # An evaluator is on its own.
    return [
        (job, index)
        for job in ("chief", "worker")
        if job in spec.jobs
        for index in spec.task_indices(job)
    ]


def here(strategy):
    """Returns (type, index) of this worker, or None if it is on its own."""
    if not tasks(strategy):
        return None
    resolver = strategy.cluster_resolver
    return resolver.task_type, resolver.task_id


def address(strategy, task):
    """Returns where a worker is, in words that follow its name."""
    spec = strategy.cluster_resolver.cluster_spec()
    return f" at {spec.task_address(*task)}"


def is_chief(strategy):
    """Whether this worker is the one that writes the files of all workers."""
    return tasks(strategy)[:1] in ([], [here(strategy)])
