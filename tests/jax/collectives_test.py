"""What devices send each other in a train step, from the compiled program."""

import math
import re
import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import jax
import numpy as np

from keras_sam import directions
from tests.jax import meshes
from tests.support import testing

# The loss, and the sums of metrics, go along with a gradient.
SCALARS = 8


def sent(text, operation="all-reduce"):
    """Returns how many numbers each operation of a kind moves, but scalars."""
    found = re.findall(rf"= (.*?) {operation}(?:-start)?\(", text)
    sizes = [sum(map(math.prod, shapes(types))) for types in found]
    return [size for size in sizes if size > SCALARS]


def shapes(types):
    """Returns the shapes in the text of an HLO type."""
    return [
        [int(size) for size in dims.split(",") if size]
        for dims in re.findall(r"\w+\[([\d,]*)\]", types)
    ]


def gathered(text):
    """Returns the shapes that all-gathers make."""
    found = re.findall(r"= (.*?) all-gather(?:-start)?\(", text)
    return {tuple(shape) for types in found for shape in shapes(types)}


def program(**arguments):
    """Returns (the program of a step on 4 devices, its wrapper)."""
    with meshes.devices(4).scope():
        sam = meshes.wrapped(testing.dense_net, **arguments)
        return meshes.program(sam, testing.data(16)), sam


def weights(sam):
    return sum(math.prod(v.shape) for v in sam.trainable_variables)


def test_gathered_finds_what_a_device_holds_whole():
    distribution = meshes.devices(4)
    mesh = distribution.device_mesh.backend_mesh
    divided, whole = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in (("batch",), ())
    )
    x = jax.device_put(np.ones((8, 3), "float32"), divided)
    step = jax.jit(lambda x: x + 1, out_shardings=whole)
    assert (8, 3) in gathered(step.lower(x).compile().as_text())


@pytest.mark.parametrize("steps", [1, 3])
def test_devices_that_climb_on_their_own_send_one_gradient(steps):
    text, sam = program(ascent_steps=steps)
    (size,) = sent(text)
    assert 0 <= size - weights(sam) <= SCALARS


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_devices_that_climb_together_send_a_gradient_for_each_pass(steps):
    text, sam = program(ascent_steps=steps, sync_perturbations=True)
    sizes = sent(text)
    assert len(sizes) == steps + 1
    assert all(0 <= size - weights(sam) <= SCALARS for size in sizes)


def test_a_memory_is_sent_once():
    text, sam = program(ascent_steps=2, direction=directions.Friendly(0.7, 0.6))
    (size,) = sent(text)
    assert 0 <= size - 2 * weights(sam) <= SCALARS


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
