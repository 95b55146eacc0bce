"""Every part with every other one that it goes with, in a short training.

A row of the array below is one training of three steps: a level of each of the
`FACTORS`. The rows cover each pair of levels of two factors at least once, but
for the pairs of which `REFUSED` says why: so each part meets each other part,
each number of steps, radius, way to run (eager, graph, XLA) and setting (one
device; parts of a batch; two replicas, on their own, split, or synced), though
not all three at once. Pairs come first in graph mode, which most rows run in.
"""

import itertools

import pytest

from tests import testing  # isort: skip

import keras
import numpy as np
import tensorflow as tf

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import samples
from keras_sam import starts

SCHEDULES = keras.optimizers.schedules
STEPS = 3

NONE, SYNCED = "one device", "synced"
FACTORS = {
    "place": (NONE, SYNCED, "replicas", "splits", "split replicas"),
    "direction": (
        directions.Normalized(),
        directions.Unnormalized(),
        directions.Unified(SCHEDULES.InverseTimeDecay(1.0, 1, 1.0)),
        directions.Adaptive(),
        directions.Layerwise(),
        directions.Fisher(),
        directions.Friendly(),
        directions.VarianceSuppressed(),
        directions.Eigen(period=2, iterations=2),
        directions.Random(),
        directions.Smoothed(),
        directions.Subset(),
        directions.Sparse(directions.FisherMask(3), period=2),
        directions.Sparse(directions.DynamicMask(9), period=1),
        testing.Averaged(),
    ),
    "descent": (
        descents.Last(),
        descents.Mean(),
        # Its length is that of the climb, see `arguments`.
        descents.Weighted((0.5, 0.5)),
        descents.Accumulated(),
        descents.Penalized(),
        descents.Decoupled(),
        descents.SurrogateGap(),
        descents.Renormalized(),
        descents.CurvatureRegularized(),
        descents.SearchedSlerp(period=2),
        descents.Slerp(0.7),
        descents.FirstOrderFlatness(),
    ),
    "cadence": (
        cadences.Every(),
        cadences.Every(2),
        cadences.Every(start=1, stop=2),
        cadences.Randomly(),
        cadences.Threshold(9),
        cadences.Reuse(2),
    ),
    "start": (None, starts.Momentum(), starts.Stale(), starts.Random()),
    "ascent_samples": (None, samples.Largest(), samples.Drawn()),
    "descent_samples": (
        None,
        samples.Largest(),
        samples.Drawn(0.5),
        samples.Rising(),
    ),
    "ascent_steps": (1, 2, 3),
    "radius": ("split", "full", "projected", "matched"),
    "rho": (0.1, SCHEDULES.CosineDecay(0.2, 9)),
    "perturb": (None, "kernel"),
}
# Two factors and a function that says of which levels it is.
REFUSED = (
    # One climb for the batch of all replicas; a choice of examples is of one.
    ("place", "ascent_samples", lambda a, b: a == SYNCED and b is not None),
    ("place", "descent_samples", lambda a, b: a == SYNCED and b is not None),
    # It is not defined for a subset of the variables.
    (
        "descent",
        "perturb",
        lambda a, b: type(a) is descents.FirstOrderFlatness and b is not None,
    ),
)


def goes(row):
    """Whether the levels of a row, or of a part of it, go together."""
    return not any(
        refuses(row[a], row[b])
        for a, b, refuses in REFUSED
        if a in row and b in row
    )


def pairs(row):
    """Returns all pairs of levels of a row, as pairs of their indices."""
    chosen = [(n, FACTORS[n].index(v)) for n, v in row.items()]
    return set(itertools.combinations(sorted(chosen), 2))


def covering_array():
    """Returns rows that cover all pairs, greedily, the same each time."""
    missing = {}  # Ordered, unlike a set.
    for a, b in itertools.combinations(FACTORS, 2):
        for x, y in itertools.product(FACTORS[a], FACTORS[b]):
            if goes({a: x, b: y}):
                missing.update(dict.fromkeys(pairs({a: x, b: y})))
    order = sorted(FACTORS, key=lambda name: -len(FACTORS[name]))
    found = []
    while missing:
        row = {name: FACTORS[name][i] for name, i in next(iter(missing))}
        for name in order:
            if name not in row:
                candidates = [{**row, name: v} for v in FACTORS[name]]
                row = max(
                    filter(goes, candidates),
                    key=lambda c: sum(p in missing for p in pairs(c)),
                )
        for pair in pairs(row):
            missing.pop(pair, None)
        found.append(row)
    return found


def every_level(**fixed):
    """Returns rows in which each level is, but for those of fixed factors."""
    found = []
    for i in range(max(map(len, FACTORS.values()))):
        row = fixed
        for name, levels in FACTORS.items():
            if name in fixed:
                continue
            turned = [levels[(i + k) % len(levels)] for k in range(len(levels))]
            level = next(v for v in turned if goes({**row, name: v}))
            row = {**row, name: level}
        found.append(row)
    return found


ROWS = [
    {"mode": mode, **row}
    for mode, rows in (
        ("eager", covering_array()),
        ("graph", every_level()),
        # A step of three climbs takes XLA ten seconds to compile.
        ("xla", every_level(ascent_steps=1)),
    )
    for row in rows
]


@keras.saving.register_keras_serializable(package="battery_test")
class Traced(keras.layers.Layer):
    """Counts how often a graph of it is made; eagerly, its calls."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.times = 0

    def call(self, inputs):
        self.times += 1
        return inputs


def net():
    """Returns a model, and its layer `Traced`."""
    traced = Traced()
    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, activation="tanh", name="hidden")(inputs)
    outputs = keras.layers.Dense(3, name="logits")(traced(x))
    return keras.Model(inputs, outputs), traced


def arguments(row):
    """Returns the arguments of the wrapper that a row stands for."""
    given = {n: v for n, v in row.items() if n not in ("mode", "place")}
    given["sync_perturbations"] = row["place"] == SYNCED
    if "split" in row["place"]:
        given["num_batch_splits"] = 2
    if isinstance(row["descent"], descents.Weighted):
        steps = row["ascent_steps"]
        given["descent"] = descents.Weighted((0.5,) + (0.5 / steps,) * steps)
    return given


def strategy(row):
    if row["place"] in (NONE, "splits"):
        return tf.distribute.get_strategy()
    return testing.two_replicas()


def compiled(given, mode, optimizer=None):
    """Returns a compiled wrapper, and the layer that counts its traces."""
    keras.utils.set_random_seed(0)
    model, traced = net()
    sam = keras_sam.SAM(model, **given)
    sam.compile(
        optimizer or keras.optimizers.SGD(0.1, momentum=0.5),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    return sam, traced


def train(sam, traced, steps=STEPS):
    """Trains; returns how often the model is traced in each step."""
    times = []
    for seed in range(steps):
        before = traced.times
        logs = testing.replicated_step(sam, *testing.data(16, seed=seed))
        times.append(traced.times - before)
        assert np.isfinite(float(logs["loss"])), f"step {seed}"
    return times


def facts(variables):
    return [(v.path, v.dtype, tuple(v.shape)) for v in variables]


def assert_sound(sam, before):
    """Asserts that weights and memory are finite numbers, and have moved."""
    for variable in [*sam.variables, *sam.optimizer.variables]:
        value = variable.numpy()
        # numpy has no bfloat16 of its own, and not all finite of integers.
        assert np.isfinite(value.astype("float64")).all(), variable.path
        assert str(value.dtype) == variable.dtype
    for old, variable in zip(before, sam.trainable_variables, strict=True):
        assert (old != variable.numpy()).any(), variable.path


def identity(row):
    return " ".join(
        str(row[name])
        if row[name] is None or isinstance(row[name], (str, int, float))
        else type(row[name]).__name__
        for name in ("mode", *FACTORS)
    )


@pytest.mark.parametrize("row", ROWS, ids=identity)
def test_a_row_trains(row):
    with strategy(row).scope():
        sam, traced = compiled(arguments(row), row["mode"])
        sam.optimizer.build(sam.trainable_variables)
    variables = [*sam.variables, *sam.optimizer.variables]
    known, before = facts(variables), [v.numpy() for v in sam.trainable_weights]
    times = train(sam, traced)
    assert row["mode"] == "eager" or times[1:] == [0] * (STEPS - 1)
    assert known == facts([*sam.variables, *sam.optimizer.variables])
    assert_sound(sam, before)
    clone = keras_sam.SAM.from_config(sam.get_config())
    assert arguments_of(clone) == arguments_of(sam)


def arguments_of(sam):
    """Returns the arguments of a wrapper, of schedules the config."""
    config = {n: getattr(sam, n) for n in FACTORS if hasattr(sam, n)}
    rho = config.pop("rho")
    direction = config.pop("direction")
    serialize = keras.saving.serialize_keras_object
    return {**config, "rho": serialize(rho), "direction": serialize(direction)}


def test_the_rows_cover_every_pair_and_no_refused_one():
    covered = set().union(*map(pairs, ROWS))
    assert all(map(goes, ROWS))
    for a, b in itertools.combinations(FACTORS, 2):
        for x, y in itertools.product(FACTORS[a], FACTORS[b]):
            assert (pairs({a: x, b: y}) <= covered) == goes({a: x, b: y})


@pytest.mark.parametrize(
    ("factor", "module"),
    [
        ("direction", directions),
        ("descent", descents),
        ("cadence", cadences),
        ("start", starts),
        ("descent_samples", samples),
    ],
)
def test_every_part_is_in_the_array(factor, module):
    """And every mask of `Sparse`, and each radius and schedule."""
    known = {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, keras_sam.Part)
    }
    masks = {directions.FisherMask, directions.DynamicMask}
    known = {part for part in known if not part.__name__.startswith("_")}
    levels = {*map(type, FACTORS[factor])} - {testing.Averaged, type(None)}
    assert known - masks - {keras_sam.Part} == levels
