"""The climb as a loop of the compiled step, as on GPUs and TPUs."""

import dataclasses
import functools
import re
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import descents
from keras_sam import directions
from keras_sam import parts
from keras_sam import samples
from keras_sam import vectors
from keras_sam._backend import control_flow
from tests.contracts import methods_test
from tests.jax import meshes
from tests.support import engine
from tests.support import testing

if not engine.JAX:
    pytest.skip("needs the JAX backend", allow_module_level=True)

import jax

# What a loop computes differs by the rounding of sums that XLA fuses anew.
EXACT = 1e-12


@pytest.fixture
def float64():
    with testing.float64():
        yield


@pytest.fixture
def looped(monkeypatch):
    """Lets climbs be loops, as if the device was no CPU.

    It returns the list of how many steps each traced climb has in its loop.
    """
    numbers, loop = [], control_flow.loop

    def noted(number, *arguments):
        result = loop(number, *arguments)
        numbers.append(0 if result is None else number)
        return result

    monkeypatch.setattr(control_flow, "loops", lambda: True)
    monkeypatch.setattr(control_flow, "loop", noted)
    return numbers


def trained(
    net=testing.dense_net, rho=0.25, optimizer=None, examples=13, **arguments
):
    """Returns (the wrapper, the logs of each train step)."""
    keras.utils.set_random_seed(1)
    sam = keras_sam.SAM(net(), rho() if callable(rho) else rho, **arguments)
    if optimizer is None:
        optimizer = functools.partial(keras.optimizers.SGD, 0.25, momentum=0.5)
    sam.compile(optimizer(), testing.cross_entropy(), jit_compile=True)
    logs = [
        sam.train_on_batch(*testing.data(examples, seed=i), return_dict=True)
        for i in range(4)
    ]
    return sam, logs


def assert_alike(first, second, atol):
    """Asserts that two results of `trained` are equal."""
    for one, two in (
        (testing.state(first[0]), testing.state(second[0])),
        *zip(first[1], second[1], strict=True),
    ):
        for (name, a), b in zip(one.items(), two.values(), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)


def check(looped, monkeypatch, atol, steps, **arguments):
    """Asserts that a loop of some steps trains what unrolled climbs train."""
    found = trained(**arguments)
    assert looped and set(looped) == {steps}
    monkeypatch.setattr(control_flow, "loops", lambda: False)
    expected = trained(**arguments)
    assert looped[-1] == 0
    assert_alike(found, expected, atol)
    return found


# Whole trainings equal the oracle's.

SEVERAL = {
    name
    for name, (arguments, _) in methods_test.CASES.items()
    if arguments.get("ascent_steps", 1) > 1
}


@pytest.mark.parametrize(
    "name",
    testing.thinned(
        sorted(SEVERAL),
        lambda i, name: (
            name
            in ("multistep_mean", "multistep_weighted", "tsam", "lookbehind")
        ),
    ),
)
def test_a_method_equals_its_oracle(name, looped, float64):
    methods_test.test_method((name, "xla"))
    assert looped and all(looped)


# A loop takes the steps that an unrolled climb takes.

CASES = {
    name: {**arguments, "ascent_steps": 3}
    for name, (arguments, _) in methods_test.CASES.items()
    # These weights are for two steps.
    if name != "multistep_weighted"
}
# The examples are chosen anew at each point.
ON_SAMPLES = {"k_sam", "sub_batch", "esam"}
KEPT = {"m_sam", "vasso", "ssam_f", "eigen", "xsam", "looksam", "wsam", "k_sam"}


@pytest.mark.parametrize(
    "name", testing.thinned(CASES, lambda i, name: name in KEPT)
)
def test_three_steps_of_a_method(name, looped, float64, monkeypatch):
    if name in ON_SAMPLES:
        trained(**CASES[name])
        assert not looped
        return
    # The end of the climb is not evaluated with this descent.
    steps = 2 if name == "functional" else 3
    check(looped, monkeypatch, EXACT, steps, **CASES[name])


def test_state_masks_and_measurements(looped, float64, monkeypatch):
    """Batch statistics, dropout, regularizers, a constraint, and `track`."""
    sam, logs = check(
        looped,
        monkeypatch,
        EXACT,
        3,
        net=testing.full_net,
        ascent_steps=3,
        track=True,
        direction=directions.AdaptiveRandom(2.0, 0.5),
        descent=descents.Mean(),
    )
    assert logs[-1]["perturbed_loss"] > 0


@pytest.mark.parametrize("descent", [descents.Last(), descents.Mean()], ids=str)
def test_an_overflow_skips_the_step(descent, looped, monkeypatch):
    scaled = functools.partial(
        keras.optimizers.LossScaleOptimizer, initial_scale=2.0**19
    )
    keras.config.set_dtype_policy("mixed_float16")
    try:
        # float16 has eleven bits, and XLA fuses sums anew.
        sam, _ = check(
            looped,
            monkeypatch,
            2e-3,
            3,
            ascent_steps=3,
            descent=descent,
            optimizer=lambda: scaled(keras.optimizers.SGD(0.25)),
        )
    finally:
        keras.config.set_dtype_policy("float32")
    taken = int(sam.optimizer.inner_optimizer.iterations)
    assert 0 < taken < 4


@pytest.mark.parametrize("synced", [True, False])
def test_several_devices(synced, looped, monkeypatch):
    """They climb together, or each in a loop of its own."""
    with meshes.devices(2).scope():
        check(
            looped,
            monkeypatch,
            1e-6,
            3,
            ascent_steps=3,
            descent=descents.Mean(),
            sync_perturbations=synced,
            examples=16,
        )


# Parts of users.


@dataclasses.dataclass(frozen=True)
class Fading(parts.Descent):
    """Keeps a number besides tensors."""

    decay: float = 0.5

    def start(self, clean):
        return {"steps": 0, "total": clean.grads}

    def visit(self, kept, point):
        faded = vectors.scale(self.decay, kept["total"])
        total = vectors.add(faded, point.grads)
        return {"steps": kept["steps"] + 1, "total": total}

    def finish(self, clean, kept):
        return [ops.where(kept["steps"] == 3, g, 0) for g in kept["total"]]


@dataclasses.dataclass(frozen=True)
class Signs(parts.Direction):
    def __call__(self, grads, params):
        return [ops.sign(g) for g in grads]


@dataclasses.dataclass(frozen=True)
class Slowing(parts.Direction):
    """Asks for the number of the step, as a tensor."""

    loops = True

    def __call__(self, grads, params, *, context):
        return vectors.scale(ops.exp(-0.1 * context.ascent_step), grads)


@dataclasses.dataclass(frozen=True)
class Asking(Slowing):
    """A subclass does not inherit `loops`."""

    def __call__(self, grads, params, *, context):
        return grads if context.ascent_step else [-g for g in grads]


def called(clean, path):
    return parts.last(clean, path).grads


class Shrinking(Fading):
    def visit(self, kept, point):
        return {"steps": kept["steps"], "total": kept["total"][1:]}


@pytest.mark.parametrize("direction", [Signs(), Slowing()], ids=str)
def test_parts_of_users(direction, looped, float64, monkeypatch):
    chosen = {"direction": direction, "descent": Fading()}
    check(looped, monkeypatch, EXACT, 3, ascent_steps=3, **chosen)


def test_a_fold_that_changes_its_shape(looped):
    with pytest.raises(ValueError, match="`visit` of Shrinking.* must return"):
        trained(ascent_steps=3, descent=Shrinking())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"descent": called}, "called .*is no fold"),
        ({"direction": Asking()}, "Asking.* may depend on the number"),
        ({"direction": lambda g, w: g}, "lambda.* may depend on the number"),
        ({"ascent_samples": samples.Largest()}, "choose their examples"),
    ],
    ids=["call", "asking", "function", "samples"],
)
def test_what_is_unrolled_says_so(arguments, reason, looped):
    sam, _ = trained(ascent_steps=2, **arguments)
    assert not looped
    assert re.search(f"\nClimb: unrolled, 2 steps: .*{reason}", sam.describe())


@pytest.mark.parametrize("steps", [1, 2])
def test_nothing_is_said_of_other_climbs(steps, looped, monkeypatch):
    assert (
        "unrolled"
        not in keras_sam.SAM(
            testing.dense_net(),
            ascent_steps=steps,
            descent=descents.Last() if steps > 1 else called,
        ).describe()
    )
    monkeypatch.setattr(control_flow, "loops", lambda: False)
    sam = keras_sam.SAM(testing.dense_net(), ascent_steps=3, descent=called)
    assert "unrolled" not in sam.describe()


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_a_step_that_is_not_compiled_is_unrolled(mode, looped):
    sam = keras_sam.SAM(testing.dense_net(), ascent_steps=3)
    sam.compile("sgd", testing.cross_entropy(), **testing.MODES[mode])
    sam.train_on_batch(*testing.data(8))
    assert set(looped) == {0}


def test_an_output_may_be_none(looped, monkeypatch):
    net = testing.OptionalOutput
    check(looped, monkeypatch, 1e-6, 3, net=net, ascent_steps=3)


def test_a_cpu_unrolls():
    assert not control_flow.loops()
    with jax.default_device(jax.devices("cpu")[-1]):
        assert not control_flow.loops()


# What XLA compiles.


def compiled(steps, **arguments):
    """Returns a train step as XLA has compiled it."""
    sam = keras_sam.SAM(testing.full_net(), ascent_steps=steps, **arguments)
    sam.compile("sgd", testing.cross_entropy(), jit_compile=True)
    x, y = testing.data(16)
    sam.train_on_batch(x, y)
    state = (
        sam.trainable_variables,
        sam.non_trainable_variables,
        sam.optimizer.variables,
        sam.metrics_variables,
    )
    values = [[v.value for v in group] for group in state]
    step = jax.jit(sam.train_step, donate_argnums=0)
    return step.lower(tuple(values), (x, y, None)).compile()


def operations(program):
    """Returns the number of operations that compute something."""
    found = re.findall(r"^ +(?:ROOT )?\S+ = .*? ([a-z-]+)\(", program, re.M)
    moved = {"bitcast", "constant", "copy", "get-tuple-element", "parameter"}
    return sum(name not in moved | {"tuple"} for name in found)


@pytest.mark.parametrize("descent", [descents.Last(), descents.Mean()], ids=str)
def test_the_program_does_not_grow_with_the_steps(descent, looped):
    one, three, eight = (compiled(n, descent=descent) for n in (1, 3, 8))
    numbers = [operations(p.as_text()) for p in (one, three, eight)]
    assert numbers[1] == numbers[2] <= 1.1 * numbers[0]
    memory = [p.memory_analysis().temp_size_in_bytes for p in (three, eight)]
    assert memory[0] == memory[1]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
