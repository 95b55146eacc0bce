"""What compilers make of a train step: of JAX's lowering, and of XLA."""

import dataclasses
import time

import jax
from jax.experimental import topologies

from benchmarks.lowered import hlo
from benchmarks.lowered import operations
from benchmarks.lowered import steps

# Chips by their number; a host has four.
SHAPES = {1: "1x1", 8: "2x4", 32: "4x8"}
CHIPS = ("v5e", "v6e")


def described(chip, number):
    """Returns the devices of a TPU that is only described; needs libtpu.

    Args:
        chip: One of `CHIPS`.
        number: Key of `SHAPES`.
    """
    # A host would have 2x2 chips, more than there are.
    alone = {"chips_per_host_bounds": (1, 1, 1)} if number == 1 else {}
    topology = topologies.get_topology_desc(
        f"{chip}:{SHAPES[number]}", "tpu", **alone
    )
    return topology.devices


def lowered(case, devices, platforms):
    """Lowers a step; returns what is wrong with it, a list of strings.

    Args:
        case: `steps.Case`.
        devices: List of devices of any kind. Only their number matters.
        platforms: Names such as "tpu" and "cuda".
    """
    found = []
    for platform in platforms:
        kind = "gpu" if platform == "cuda" else platform
        with steps.traceable(case, devices, kind) as (step, arguments):
            exported = jax.export.export(step, platforms=[platform])(*arguments)
            text = exported.mlir_module()
            found += [f"{platform}: {fault}" for fault in hlo.faults(text)]
    return found


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is known of a compiled step.

    Attributes:
        flops: Int, multiplications and additions of products and convolutions
            over all devices, counted before the compiler.
        said: Float, operations on a device as the compiler counts them. It
            counts what is in a loop once.
        moved: Float, bytes that the operations read and write, likewise.
        memory: Int, bytes of arguments, results and temporary values.
        collectives: List of `hlo.Collective`.
        weights: Int, how many numbers are trained; all are float32.
        seconds: Float, how long the compiler took.
    """

    flops: int
    said: float
    moved: float
    memory: int
    collectives: list
    weights: int
    seconds: float

    @property
    def reduced(self):
        """How many numbers all collectives reduce in a step, in gradients."""
        return self._of_collectives("numbers") / self.weights

    @property
    def sent(self):
        """The bytes of these numbers, in gradients of float32."""
        return self._of_collectives("bytes") / (4 * self.weights)

    @property
    def reductions(self):
        """How many collectives run in a step."""
        return sum(c.times for c in self.collectives)

    def _of_collectives(self, what):
        return sum(getattr(c, what) * c.times for c in self.collectives)


def compiled(case, devices, platform=None):
    """Compiles a step for the kind of its devices; returns its `Figures`.

    Args:
        case: `steps.Case`.
        devices: List of devices, which may be described only.
        platform: See `steps.traceable`; by default the devices' own.
    """
    platform = platform or devices[0].platform
    with steps.traceable(case, devices, platform) as (step, arguments):
        traced = step.trace(*arguments)
        start = time.perf_counter()
        program = traced.lower().compile()
        seconds = time.perf_counter() - start
    costs = program.cost_analysis()
    return Figures(
        operations.count(traced.jaxpr).total(),
        costs["flops"],
        costs["bytes accessed"],
        steps.memory(program),
        hlo.collectives(program.as_text()),
        steps.weights(case),
        seconds,
    )
