"""What devices send each other in a train step, from the compiled program."""

import functools
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
    """Returns how many numbers each operation of a kind moves."""
    found = re.findall(rf"= (.*?) {operation}(?:-start)?\(", text)
    return [sum(map(math.prod, shapes(types))) for types in found]


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


def made_whole(function):
    """Returns the program of a function whose results all 4 devices hold.

    Each device has two rows of its argument, of shape [8, 3].
    """
    distribution = meshes.devices(4)
    mesh = distribution.device_mesh.backend_mesh
    divided, whole = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in (("batch",), ())
    )
    x = jax.device_put(np.ones((8, 3), "float32"), divided)
    step = jax.jit(function, out_shardings=whole)
    return step.lower(x).compile().as_text()


@functools.cache
def combines():
    """Whether XLA makes one operation of all-reduces that do not wait.

    On CPUs XLA does so in JAX 0.10.2, and did not in JAX 0.7.0.
    """
    text = made_whole(lambda x: (x.sum(0), (x * x).sum(0)))
    assert sum(sent(text)) == 6
    return len(sent(text)) == 1


def check(text, operations, each):
    """Checks the number of all-reduces, and how many numbers each moves."""
    sizes = sent(text)
    assert 0 <= sum(sizes) - operations * each <= SCALARS
    if combines():
        sizes = [size for size in sizes if size > SCALARS]
        assert len(sizes) == operations
        assert all(0 <= size - each <= SCALARS for size in sizes)


def test_gathered_finds_what_a_device_holds_whole():
    assert (8, 3) in gathered(made_whole(lambda x: x + 1))


@pytest.mark.parametrize("steps", [1, 3])
def test_devices_that_climb_on_their_own_send_one_gradient(steps):
    text, sam = program(ascent_steps=steps)
    check(text, 1, weights(sam))


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_devices_that_climb_together_send_a_gradient_for_each_pass(steps):
    text, sam = program(ascent_steps=steps, sync_perturbations=True)
    check(text, steps + 1, weights(sam))


def test_a_memory_is_sent_once():
    text, sam = program(ascent_steps=2, direction=directions.Friendly(0.7, 0.6))
    check(text, 1, 2 * weights(sam))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
