"""What `benchmarks.lowered` reads in programs, and its limits."""

import dataclasses
import sys

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import jax
import jax.numpy as jnp

from benchmarks.lowered import compiler
from benchmarks.lowered import guard
from benchmarks.lowered import hlo
from benchmarks.lowered import operations
from benchmarks.lowered import steps
from benchmarks.lowered import table
from tests.jax import collectives_test
from tests.support import small_networks

DEVICES = 8


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(steps.networks, "ALL", small_networks.NETWORKS)


def counted(function, *shapes):
    values = [jnp.zeros(shape) for shape in shapes]
    return operations.count(jax.make_jaxpr(function)(*values)).total()


def test_operations_of_products():
    assert counted(jnp.dot, (2, 3), (3, 5)) == 2 * 2 * 3 * 5

    def convolved(x, kernel):
        return jax.lax.conv(x, kernel, (1, 1), "VALID")

    # A result of 7 features at 6 x 6 places, each from 3 x 3 places of 5.
    one = 2 * (7 * 6 * 6) * (3 * 3 * 5)
    assert counted(convolved, (1, 5, 8, 8), (7, 5, 3, 3)) == one


def test_operations_in_loops():
    def looped(x, w):
        return jax.lax.fori_loop(0, 4, lambda i, x: x @ w, x)

    assert counted(looped, (2, 3), (3, 3)) == 4 * 2 * 2 * 3 * 3

    def endless(x, w):
        return jax.lax.while_loop(lambda x: x.sum() < 1, lambda x: x @ w, x)

    with pytest.raises(ValueError, match="a fixed length"):
        counted(endless, (2, 3), (3, 3))


def test_operations_that_no_result_needs():
    def wasteful(x, w):
        _, needed = jax.jit(lambda x: (x @ w @ w, x @ w))(x)
        x @ w  # noqa: B018
        return needed

    # Within the inner function both results count.
    assert counted(wasteful, (2, 3), (3, 3)) == 3 * (2 * 2 * 3 * 3)


def test_operations_of_the_larger_branch():
    def branched(x, w):
        return jax.lax.cond(x[0, 0] > 0, lambda: x @ w @ w, lambda: x @ w)

    assert counted(branched, (2, 3), (3, 3)) == 2 * (2 * 2 * 3 * 3)


def lowered(function, *arguments):
    return jax.export.export(jax.jit(function), platforms=["tpu"])(
        *arguments
    ).mlir_module()


def test_faults_of_a_program():
    x = jnp.zeros([8])
    assert hlo.faults(lowered(jnp.sin, x)) == []

    def asks(x):
        return jax.pure_callback(lambda x: x, x, x)

    text = str(jax.jit(asks).lower(x).compiler_ir())
    (fault,) = hlo.faults(text)
    assert fault.startswith("custom calls: ")
    sizes = jax.export.symbolic_shape("n")
    found = hlo.faults(lowered(jnp.sin, jax.ShapeDtypeStruct(sizes, "float32")))
    assert found[-1].startswith("dynamic shapes: ")
    assert hlo.faults('"stablehlo.send"(%0)') == ["host calls: ['send']"]


PROGRAM = """
%sum.1 (a: f32[], b: f32[]) -> f32[] {
  ROOT %c = f32[] add(%a, %b)
}

%body.2 (p: (s32[], f32[4])) -> (s32[], f32[4]) {
  %r = f32[4]{0:T(8)} all-reduce(%x), to_apply=%sum.1
}

ENTRY %main (p: f32[4]) -> f32[4] {
  %w = (s32[], f32[4]) while(%t), body=%body.2, {"known_trip_count":{"n":"3"}}
  %s = (bf16[2,3]{1,0}, u8[5]) all-gather-start(%y), dimensions={0}
}
"""


def test_collectives_of_a_program():
    assert hlo.collectives(PROGRAM) == [
        hlo.Collective("all-reduce", 4, 16, 3),
        hlo.Collective("all-gather", 11, 17, 1),
    ]
    unknown = PROGRAM.replace("known_trip_count", "other")
    condition = """
%less.3 (p: (s32[], f32[4])) -> pred[] {
  %n = s32[]{:T(128)} constant(5)
  ROOT %l = pred[] compare(%i, %n), direction=LT
}
"""
    bounded = unknown.replace("body=", "condition=%less.3, body=")
    found = hlo.collectives(condition + bounded)
    assert found[0] == hlo.Collective("all-reduce", 4, 16, 5)
    with pytest.raises(ValueError, match="must say how often"):
        hlo.collectives(unknown)


@pytest.fixture(scope="module")
def figures():
    """Of steps on 8 virtual devices, by steps and synchronisation."""
    given, steps.networks.ALL = steps.networks.ALL, small_networks.NETWORKS
    found = {
        (n, synced): compiler.compiled(
            steps.Case("mlp", steps=n, synced=synced),
            jax.devices()[:DEVICES],
        )
        for n, synced in ((None, False), (1, False), (2, False), (2, True))
    }
    steps.networks.ALL = given
    return found


@pytest.mark.parametrize("synced", [False, True])
def test_a_step_keeps_the_limits(figures, synced):
    case = steps.Case("mlp", steps=2, synced=synced)
    plain, one, ours = (
        figures[key] for key in ((None, False), (1, False), (2, synced))
    )
    found = guard.faults(case, DEVICES, ours, plain, ours)
    assert ours.flops == 3 * plain.flops
    # The loss is one more number.
    passes = 3 if synced else 1
    assert ours.reduced == pytest.approx(passes, rel=1e-3)
    if collectives_test.combines():
        assert not found and ours.reductions == passes
    else:  # One for each of the six weights, and one for the loss.
        assert ours.reductions == 6 * passes + 1
        text = "all-reduces: 7 a step instead of one"
        assert found == ([] if synced else [text])
    assert "| 8 cpu | n=2" in table.row(case, "8 cpu", ours, plain, one)


@pytest.mark.parametrize(
    "change, fault",
    [
        (lambda f: {"flops": f.flops * 1.02}, "operations"),
        (lambda f: {"memory": f.memory * 1.03}, "memory"),
        (lambda f: {"collectives": f.collectives * 2}, "all-reduces"),
        (lambda f: {"collectives": []}, "collectives"),
    ],
)
def test_a_step_that_costs_more(figures, change, fault):
    ours = figures[2, False]
    found = guard.faults(
        steps.Case("mlp", steps=2),
        DEVICES,
        dataclasses.replace(ours, **change(ours)),
        figures[None, False],
        ours,
    )
    assert found and found[0].startswith(fault)


@pytest.mark.parametrize("devices, synced", [(1, False), (8, False), (8, True)])
def test_a_step_lowers(devices, synced):
    case = steps.Case("cnn", "mixed_bfloat16", 1, synced)
    platforms = ("tpu", "cuda")
    assert compiler.lowered(case, jax.devices()[:devices], platforms) == []


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
