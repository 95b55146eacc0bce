"""Schedules of the learning rate, and the cadence that begins with them."""

import sys
import types

import keras
import numpy as np
import pytest

import keras_sam
from keras_sam import cadences
from keras_sam import schedules
from tests.support import testing

NAN = float("nan")


def climbing(late, steps):
    """Returns the iterations below `steps` that climb."""
    return [
        t
        for t in range(steps)
        if late(None, context=types.SimpleNamespace(iterations=t))
    ]


@pytest.mark.parametrize(
    ("steps", "fraction", "start"),
    [
        (10, 0.3, 7),
        (10, 1.0, 0),
        (10, 0.04, 9),  # The last step climbs in any case.
        (10, 0.96, 0),
        (1, 0.3, 0),
        (200, 0.125, 175),  # Epochs in figure 1 of the paper.
        (330, 0.3, 231),  # (1 - 0.3) 330 is not an integer in floating point.
        (10, 0.9, 1),  # Neither is (1 - 0.9) 10.
    ],
)
def test_late_phase_climbs_from_its_start_on(steps, fraction, start):
    late = cadences.LatePhase(steps, fraction)
    assert late.start == start
    # After the end of the training, too.
    assert climbing(late, steps + 3) == list(range(start, steps + 3))


@pytest.mark.parametrize("fraction", [0, -0.1, 1.1, NAN])
def test_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match="`fraction` must .* Received: "):
        cadences.LatePhase(10, fraction)


def rates(schedule, steps):
    return [float(schedule(t)) for t in range(steps)]


def expected(t, steps, start, warmup, end, fall):
    """The formula of the docstring, in float64."""
    share = min(max((t - start) / (steps - start), 0.0), 1.0)
    rise = min((t + 1) / warmup, 1.0) if warmup else 1.0
    return rise * (end + (0.4 - end) * fall(share))


SHAPES = {
    "linear": lambda p: 1 - p,
    "cosine": lambda p: (1 + np.cos(np.pi * p)) / 2,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("start", "warmup", "end"),
    [(6, 3, 0.1), (6, 6, 0.0), (6, 0, 0.4), (0, 0, 0.0)],
)
def test_rates(shape, start, warmup, end):
    schedule = schedules.WarmupStableDecay(
        0.4, 10, start, warmup_steps=warmup, end=end, shape=shape
    )
    found = rates(schedule, 13)
    assert found == pytest.approx(
        [expected(t, 10, start, warmup, end, SHAPES[shape]) for t in range(13)],
        abs=1e-7,  # Float32.
    )
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == schedule.get_config()
    assert rates(again, 13) == found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fraction", [0.07, 0.3, 0.55])
@pytest.mark.parametrize("steps", [10, 33, 101])
def test_the_rate_falls_where_the_climbs_begin(steps, fraction, shape):
    late = cadences.LatePhase(steps, fraction)
    schedule = schedules.WarmupStableDecay(0.5, steps, late.start, shape=shape)
    found = rates(schedule, steps + 1)
    climbs = climbing(late, steps)
    # The first climb is the last step with the whole rate.
    assert [t for t in range(steps) if found[t] == 0.5] == list(
        range(climbs[0] + 1)
    )
    falling = found[climbs[0] :]
    assert all(a > b for a, b in zip(falling, falling[1:], strict=False))
    assert falling[-1] == pytest.approx(0.0, abs=1e-7)


def test_a_model_with_both_comes_back(tmp_path):
    """And its optimizer has the rate of the iteration."""
    late = cadences.LatePhase(4, 0.5)
    rate = schedules.WarmupStableDecay(0.5, 4, late.start)
    sam = keras_sam.SAM(testing.dense_net(), cadence=late)
    sam.compile(
        keras.optimizers.SGD(rate), testing.cross_entropy(), run_eagerly=True
    )
    found = []
    for _ in range(3):
        found.append(float(sam.optimizer.learning_rate))
        sam.train_on_batch(*testing.data())
    assert found == [0.5, 0.5, 0.5] and sam.climbs == 1
    sam.save(tmp_path / "sam.keras")
    again = keras.saving.load_model(tmp_path / "sam.keras")
    assert again.cadence == late
    assert float(again.optimizer.learning_rate) == 0.25
    again.train_on_batch(*testing.data())
    assert again.climbs == 2


def test_both_under_gradient_accumulation():
    """Keras counts batches for the rate, and updates as iterations."""
    late = cadences.LatePhase(4, 0.5)
    rate = schedules.WarmupStableDecay(0.5, 8, decay_start=2 * late.start)
    sam = keras_sam.SAM(testing.dense_net(), cadence=late)
    sgd = keras.optimizers.SGD(rate, gradient_accumulation_steps=2)
    sam.compile(sgd, testing.cross_entropy(), run_eagerly=True)
    found = []
    for _ in range(8):
        climbs = sam.climbs or 0
        found.append(float(sgd.learning_rate))
        sam.train_on_batch(*testing.data())
        assert (sam.climbs > climbs) == (len(found) > 4)
    assert found == pytest.approx([0.5] * 5 + [0.375, 0.25, 0.125])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"learning_rate": 0.0}, ValueError),
        ({"learning_rate": "1"}, TypeError),
        ({"steps": 0}, ValueError),
        ({"steps": 10.0}, TypeError),
        ({"decay_start": -1}, ValueError),
        ({"decay_start": 10}, ValueError),
        ({"warmup_steps": -1}, ValueError),
        ({"warmup_steps": 8}, ValueError),
        ({"end": -0.1}, ValueError),
        ({"end": 0.2}, ValueError),
        ({"shape": "exponential"}, ValueError),
    ],
)
def test_bad_schedule(arguments, error):
    good = {"learning_rate": 0.1, "steps": 10, "decay_start": 7}
    (name,) = arguments
    with pytest.raises(error, match=f"`{name}` must .* Received: "):
        schedules.WarmupStableDecay(**{**good, **arguments})


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
