"""What Keras 3 gets wrong under tf.distribute, and the remedies.

Keras clips gradients, and looks for overflows, on each replica before adding
up. Both belong after it: the sum of clipped gradients is longer than the clip
norm, and an overflow on one replica must be seen by all.
"""

import tensorflow as tf
from keras import tree

from keras_sam import functional


def replicas(model=None):
    """Returns the number of replicas in sync, here or of a model."""
    strategy = tf.distribute.get_strategy()
    if model is not None:
        strategy = model.distribute_strategy
    return strategy.num_replicas_in_sync


def mean(tensors):
    """Returns the mean over replicas of each float tensor of a list."""
    if replicas() == 1:
        return tensors
    context = tf.distribute.get_replica_context()
    floats = [t for t in tensors if t.dtype.is_floating]
    means = iter(context.all_reduce("mean", floats) if floats else ())
    return [next(means) if t.dtype.is_floating else t for t in tensors]


def compiles(xla, jit_compile=False):
    """Whether gradient evaluations are compiled with XLA.

    Args:
        xla: True, False, or "auto": on where there is anything but a CPU, on
            which TensorFlow's own kernels are faster.
        jit_compile: Whether `compile` was asked for it. On several replicas
            nothing else can be compiled.
    """
    if isinstance(tf.distribute.get_strategy(), tf.distribute.TPUStrategy):
        return False  # The strategy compiles the whole step.
    if xla != "auto":
        return xla
    if jit_compile and replicas() > 1:
        return True
    return any(d.device_type != "CPU" for d in tf.config.list_logical_devices())


def final(grads, variables, optimizer, loss_scaled):
    """Returns gradients such that an optimizer does on the mean what it says.

    The optimizer adds up over replicas, last of all. Where it does more than
    that, the mean is taken, and clipped, here; what the optimizer repeats of
    it changes nothing. Elsewhere the gradients are left as they are.

    Args:
        grads: List of tensors, true gradients of this replica.
        variables: List of the Keras variables that they are of.
        optimizer: Keras optimizer, built.
        loss_scaled: Whether the optimizer looks for overflows.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    clips = [_clips(o) for o in getattr(optimizer, "optimizers", [optimizer])]
    if replicas() == 1 or not (loss_scaled or any(clips)):
        return grads
    grads = mean(grads)
    for clipping, indices in _groups(optimizer, variables):
        clipped = clipping._clip_gradients([grads[i] for i in indices])
        for i, grad in zip(indices, clipped, strict=True):
            grads[i] = grad
    return grads


def _clips(optimizer):
    return any(
        (optimizer.clipnorm, optimizer.clipvalue, optimizer.global_clipnorm)
    )


def _groups(optimizer, variables):
    """Returns (optimizer, indices of its variables), many of MultiOptimizer."""
    groups = {}
    for i, variable in enumerate(variables):
        owner = optimizer
        if hasattr(optimizer, "optimizers"):
            key = optimizer._var_key(variable)
            owner = optimizer.optimizers[optimizer._var_to_optimizer_idx[key]]
        groups.setdefault(id(owner), (owner, []))[1].append(i)
    return list(groups.values())


def needs_function(model):
    """Whether the function that Keras makes of a step fails.

    On several replicas it does with `steps_per_execution`, which puts
    collectives in a loop of the graph, and with `jit_compile`, which compiles
    them; with several workers, where it averages scalars over an axis.
    """
    return replicas(model) > 1 and (
        model.steps_per_execution > 1
        or model.jit_compile
        or isinstance(
            model.distribute_strategy,
            tf.distribute.MultiWorkerMirroredStrategy,
        )
    )


def function(model, step):
    """Returns a function from an iterator of batches to logs.

    It calls as many steps as `steps_per_execution` says one by one.

    Args:
        model: `keras.Model` on several replicas.
        step: Its `train_step` or `test_step`.
    """
    strategy = model.distribute_strategy

    def one_step(data):
        logs = strategy.run(step, args=(data,))
        return tree.map_structure(
            lambda log: strategy.reduce("MEAN", log, axis=None), logs
        )

    if not model.run_eagerly:
        one_step = tf.function(one_step, reduce_retracing=True, autograph=False)

    def steps(iterator):
        logs = None
        for _ in range(model.steps_per_execution):
            try:
                data = next(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                if logs is None:
                    raise
                break
            logs = one_step(data)
        return logs

    return steps


def build(model, iterator, batch):
    """Creates all variables, from the first replica's part of a batch.

    Keras's own fails on batches of several workers that are not one tensor.

    Args:
        model: Compiled `keras.Model` on several replicas.
        iterator: What `fit` iterates over, or None.
        batch: A batch, if there is no iterator.
    """
    strategy = model.distribute_strategy
    if iterator is not None:
        _, _, batches = next(iter(iterator))
        batch = next(batches)
    first = tree.map_structure(
        lambda value: strategy.experimental_local_results(value)[0], batch
    )
    with strategy.scope():
        functional.build(model, first)


def check(model):
    """Raises ValueError if a model lives in another strategy than this one."""
    here = tf.distribute.get_strategy()
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
