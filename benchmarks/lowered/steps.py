"""Train steps on JAX as functions of values, and the shapes of the values.

A step is the one that `fit` compiles. Devices may be described only: nothing is
put on them, and nothing runs.
"""

import contextlib
import dataclasses

import jax
import keras
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

import keras_sam
from benchmarks import networks
from keras_sam import descents

POLICIES = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class Case:
    """A train step.

    Attributes:
        network: Key of `networks.ALL`.
        policy: Policy of Keras for all layers.
        steps: Number of ascent steps; None for plain Keras.
        synced: Bool, whether devices climb together.
        mean: Bool, whether the step descends with the mean of the climb.
        batch_size: Number of examples on a device; None for the network's own.
    """

    network: str
    policy: str = "float32"
    steps: int | None = None
    synced: bool = False
    mean: bool = False
    batch_size: int | None = None

    @property
    def method(self):
        """The name of the method, without the devices."""
        if self.steps is None:
            return "plain"
        return f"n={self.steps}{' mean' if self.mean else ''}"

    @property
    def gradients(self):
        """How many gradients a step evaluates."""
        return 1 + (self.steps or 0)

    @property
    def known(self):
        """The `networks.Network`."""
        return networks.ALL[self.network]


def model(case):
    """Returns the compiled Keras model of a case, with all its variables."""
    keras.utils.clear_session(free_memory=False)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(case.policy)
    try:
        found = case.known.build()
    finally:
        keras.config.set_dtype_policy(before)
    if case.steps is not None:
        kind = descents.Mean if case.mean else descents.Last
        found = keras_sam.SAM(
            found,
            ascent_steps=case.steps,
            sync_perturbations=case.synced,
            descent=kind(),
        )
    found.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    found.optimizer.build(found.trainable_variables)
    return found


def state(trained):
    """Returns what a train step takes: the values of all variables."""
    return tuple(
        [v.value for v in group]
        for group in (
            trained.trainable_variables,
            trained.non_trainable_variables,
            trained.optimizer.variables,
            trained.metrics_variables,
        )
    )


@contextlib.contextmanager
def traceable(case, devices, platform):
    """Gives (function, arguments) of a step, under the devices' distribution.

    The function is jitted and overwrites its first argument, as in `fit`. The
    arguments are shapes, with the places that the values would have.

    Args:
        case: `Case`.
        devices: List of devices that share a batch.
        platform: What they are taken for: "cpu", where climbs are unrolled, or
            "tpu" or "gpu", where they are loops.
    """
    trained = model(case)
    described = keras.distribution.DeviceMesh(
        (len(devices),), ["batch"], devices
    )
    whole, parts = (
        NamedSharding(described.backend_mesh, spec)
        for spec in (PartitionSpec(), PartitionSpec("batch"))
    )
    x, y = case.known.batch()
    size = (case.batch_size or len(x)) * len(devices)
    batch = tuple(
        jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype, sharding=parts)
        for a in (x, y)
    )
    values = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=whole),
        state(trained),
    )
    step = jax.jit(
        trained.train_step,
        donate_argnums=0,
        out_shardings=(None, jax.tree.map(lambda _: whole, values)),
    )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(described) if len(devices) > 1 else None
    )
    try:
        with jax.default_device(platform):
            yield step, (values, batch)
    finally:
        keras.distribution.set_distribution(None)


def memory(program):
    """Returns the bytes that a compiled program needs.

    A result in the place of an argument counts once.
    """
    found = program.memory_analysis()
    return (
        found.argument_size_in_bytes
        + found.output_size_in_bytes
        - found.alias_size_in_bytes
        + found.temp_size_in_bytes
    )


def weights(case):
    """Returns how many numbers are trained."""
    return sum(v.value.size for v in model(case).trainable_variables)
