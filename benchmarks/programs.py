"""What TensorFlow and XLA make of a train step. Nothing is run."""

from typing import NamedTuple

import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2


class Memory(NamedTuple):
    """The memory of a program of XLA, in bytes.

    Kernels that XLA calls (of convolutions and products, on a CPU) take more
    for themselves, which it does not know of.

    Attributes:
        total: All of it, variables, batch and results among it.
        temporary: What is neither argument, constant nor result.
    """

    total: int
    temporary: int


def traced(model, batch):
    """Returns the graph of a train step of a compiled model, a `FuncGraph`."""
    step, data = _step(model, batch, jit_compile=None)
    return step.get_concrete_function(data).graph


def compiled(model, batch):
    """Returns the program, an `HloProto`, that XLA makes of a whole train step.

    It is compiled for the device on which TensorFlow would run it.

    Args:
        model: `keras.Model`, compiled.
        batch: Tuple (x, y) of arrays.
    """
    step, data = _step(model, batch, jit_compile=True)
    generate = step.experimental_get_compiler_ir(data)
    return hlo_pb2.HloProto.FromString(
        generate(stage="optimized_hlo_proto_serialized")
    )


def memory(program):
    """Returns the `Memory` of what `compiled` returns."""
    allocations = program.buffer_assignment.buffer_allocations
    return Memory(
        sum(a.size for a in allocations),
        sum(
            a.size
            for a in allocations
            if not a.is_entry_computation_parameter
            and not a.maybe_live_out
            and not a.is_constant
            and not a.is_thread_local
        ),
    )


def _step(model, batch, jit_compile):
    data = tuple(map(tf.constant, batch))
    model._symbolic_build(data_batch=data)  # No function may make variables.
    step = tf.function(
        model.train_step, jit_compile=jit_compile, autograph=False
    )
    return step, data
