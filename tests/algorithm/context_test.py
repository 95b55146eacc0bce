"""The context tells each part the present radius."""

import sys

import keras
import pytest

import keras_sam
from keras_sam import landscape
from keras_sam import vectors
from tests.support import testing

ROLES = ("start", "cadence", "direction", "replica", "samples", "descent")


def spies(seen):
    """Returns a callable for each role that notes `context.rho`."""

    def direction(grads, params, *, context):
        seen["direction"] = context.rho
        context.when(True, lambda replica: noted(replica, grads), grads)
        return vectors.unit(grads)

    def noted(replica, grads):
        seen["replica"] = replica.rho
        return grads

    def descent(clean, path, *, context):
        seen["descent"] = context.rho
        return [*path][-1].grads

    def cadence(clean, *, context):
        seen["cadence"] = context.rho
        return True

    def start(params, *, context):
        seen["start"] = context.rho
        return vectors.scale(0.0, params)

    def samples(clean_losses, losses, *, context):
        seen["samples"] = context.rho
        return [0, 1]

    return {
        "direction": direction,
        "descent": descent,
        "cadence": cadence,
        "start": start,
        "descent_samples": samples,
    }


@pytest.mark.parametrize("scheduled", [False, True])
def test_every_part_may_ask_for_the_radius(scheduled):
    rho = 0.25
    if scheduled:
        rho = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, rho])
    seen = {}
    sam = keras_sam.SAM(testing.dense_net(), rho, **spies(seen))
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=True)
    for expected in (0.5 if scheduled else 0.25, 0.25):
        sam.train_on_batch(*testing.data())
        found = {role: float(value) for role, value in seen.items()}
        assert found == dict.fromkeys(ROLES, expected)
        seen.clear()


@pytest.mark.parametrize(
    ("choice", "all_of", "of_kernels"),
    [
        (None, [True] * 4, [True, True]),
        ("^logits/", [False, False, True, True], [False, True]),
        (lambda v: len(v.shape) == 1, [False, True] * 2, [False, False]),
    ],
)
def test_which_variables_a_choice_has(choice, all_of, of_kernels):
    """Directions see the perturbed variables only, descents all."""
    found = {}

    def direction(grads, params, *, context):
        found["direction"] = context.which(choice)
        return grads

    def descent(clean, path, *, context):
        found["descent"] = context.which(choice)
        return [*path][-1].grads

    # Built late, so that paths begin with the names of the wrappers.
    hidden = keras.layers.Dense(4, name="hidden")
    net = keras.Sequential([hidden, keras.layers.Dense(3, name="logits")])
    sam = keras_sam.SAM(
        net, direction=direction, descent=descent, perturb="kernel"
    )
    sam.compile("sgd", testing.cross_entropy())
    sam.train_on_batch(*testing.data())
    assert found == {"direction": of_kernels, "descent": all_of}


def test_a_diagnostic_tells_its_own_radius():
    seen = {}
    found = spies(seen)
    x, y = testing.data()
    plain = testing.dense_net()
    plain.compile("sgd", testing.cross_entropy())
    landscape.path(
        landscape.Landscape(plain, x, y),
        0.125,
        direction=found["direction"],
        descent=found["descent"],
    )
    assert seen["direction"] == seen["descent"] == seen["replica"] == 0.125


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
