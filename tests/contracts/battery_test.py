"""Every pair of parts that go together trains a model for a few steps.

A row is a training of two or three steps, with a level of each of the
`FACTORS`.

Eager rows cover each pair of levels of two factors at least once. `REFUSED`
lists the pairs that do not go together, with reasons. So each part meets each
other part, number of steps, radius and place. A place is one device, parts of a
batch, or two replicas that climb on their own, split their batch, or are
synced.

Graph mode and XLA compile for seconds, so there each level is in at least one
row, and levels meet by turns. XLA rows have one step a climb, and splits only
on replicas.
"""

import contextlib
import itertools
import sys

import pytest

from tests.support import engine

from tests.support import testing  # isort: skip

import keras
import numpy as np

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import samples
from keras_sam import starts

SCHEDULES = keras.optimizers.schedules

NONE, SYNCED = "one device", "synced"
# Levels that keep apart parts that XLA would take over ten seconds to compile.
COMPILED = ("replicas", SYNCED, NONE, "split replicas", SYNCED)
FACTORS = {
    "place": (NONE, SYNCED, "replicas", "splits", "split replicas"),
    "direction": (
        directions.Normalized(),
        directions.Unnormalized(),
        directions.Unified(SCHEDULES.InverseTimeDecay(1.0, 1, 1.0)),
        directions.Matching(),
        directions.LossEquated(),
        directions.Adaptive(scaled="kernel"),
        directions.Layerwise(),
        directions.Fisher(),
        directions.Friendly(),
        directions.VarianceSuppressed(),
        directions.Eigen(period=2, iterations=2),
        directions.Random(),
        directions.NoiseFirst(),
        directions.AdaptiveRandom(),
        directions.LowerBound(),
        directions.Smoothed(),
        directions.Subset(),
        directions.Sparse(directions.FisherMask(3), period=2),
        directions.Sparse(directions.DynamicMask(9), period=1),
        directions.ZScored(0.5),
        testing.Averaged(),
    ),
    "descent": (
        descents.Last(),
        descents.Mean(),
        # `arguments` gives it a weight for each point of the climb.
        descents.Weighted((0.5, 0.5)),
        descents.Accumulated(),
        descents.Penalized(),
        descents.Decoupled(),
        descents.SurrogateGap(),
        descents.Renormalized(),
        descents.FirstOrderFlatness(),
        descents.Mirrored(climbs=2),
        descents.Tilted(climbs=2),
        descents.Functional(),
        descents.SearchedSlerp(period=2),
        descents.EigenCorrected(period=2, iterations=2),
        descents.Slerp(0.7),
        descents.CurvatureRegularized(),
    ),
    "cadence": (
        cadences.Every(),
        cadences.Every(2),
        cadences.Every(start=1, stop=2),
        cadences.LatePhase(2),
        cadences.Randomly(),
        cadences.Threshold(9),
        cadences.Reuse(2),
    ),
    "start": (
        None,
        starts.Momentum(),
        starts.Stale(),
        starts.Random(),
        starts.AdaptiveRandom(),
    ),
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
# Two factors, and a function that says whether two levels are refused.
REFUSED = (
    # Synced replicas climb once for all their examples. A choice of examples
    # is made on one replica.
    ("place", "ascent_samples", lambda a, b: a == SYNCED and b is not None),
    ("place", "descent_samples", lambda a, b: a == SYNCED and b is not None),
    # `FirstOrderFlatness` is not defined for a subset of the variables.
    (
        "descent",
        "perturb",
        lambda a, b: type(a) is descents.FirstOrderFlatness and b is not None,
    ),
    # `LowerBound` and `Functional` take outputs of all examples.
    (
        "direction",
        "ascent_samples",
        lambda a, b: type(a) is directions.LowerBound and b is not None,
    ),
    (
        "descent",
        "descent_samples",
        lambda a, b: type(a) is descents.Functional and b is not None,
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


def every_level(**other):
    """Returns rows that have each level at least once, by turns.

    Args:
        **other: Levels of some factors, instead of all.
    """
    found = []
    for i in range(max(map(len, FACTORS.values()))):
        row = {}
        for name, levels in {**FACTORS, **other}.items():
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
        ("xla", every_level(ascent_steps=(1,), place=COMPILED)),
    )
    for row in rows
]


@keras.saving.register_keras_serializable(package="battery_test")
class Traced(keras.layers.Layer):
    """Counts how often its graph is traced. Eagerly it counts its calls."""

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


def devices(row):
    """Returns a context for a row that trains on one device, or on two."""
    if row["place"] in (NONE, "splits"):
        return contextlib.nullcontext()
    return engine.two_devices()


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


def train(sam, traced, steps=3):
    """Trains; returns the number of traces of the model in each step."""
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
    """Asserts that weights and memory are finite, and that weights moved."""
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


def often(i, row):
    """Whether `make test` trains a row: some of the pairs, and all levels."""
    if engine.JAX:  # Eagerly, XLA compiles each operation of each shape.
        return row["mode"] == "xla"
    return row["mode"] == "graph" or i % 4 == 0


@pytest.mark.parametrize("row", testing.thinned(ROWS, often), ids=identity)
def test_a_row_trains(row):
    with devices(row):
        sam, traced = compiled(arguments(row), row["mode"])
        sam.optimizer.build(sam.trainable_variables)
        variables = [*sam.variables, *sam.optimizer.variables]
        known = facts(variables)
        before = [v.numpy() for v in sam.trainable_weights]
        steps = 2 if row["mode"] == "eager" else 3
        times = train(sam, traced, steps)
    assert row["mode"] not in engine.TRACED or times[1:] == [0, 0]
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
    covered = set().union(*map(pairs, covering_array()))
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
def test_every_part_is_in_every_mode(factor, module):
    known = {
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, keras_sam.Part)
    }
    masks = {directions.FisherMask, directions.DynamicMask}
    known = {part for part in known if not part.__name__.startswith("_")}
    for mode in testing.MODES:
        rows = [row for row in ROWS if row["mode"] == mode]
        levels = {type(row[factor]) for row in rows}
        levels -= {testing.Averaged, type(None)}
        assert known - masks - {keras_sam.Part} == levels


# Other dtypes.

TYPES = [
    {},
    {"direction": directions.Friendly(), "descent": descents.Decoupled()},
    {"direction": directions.Eigen(period=2), "cadence": cadences.Reuse(2)},
    {
        "direction": directions.Sparse(directions.DynamicMask(9)),
        "descent": descents.SearchedSlerp(period=2),
        "cadence": cadences.Threshold(9),
    },
    {
        "direction": directions.Adaptive(),
        "descent": descents.FirstOrderFlatness(),
        "start": starts.Momentum(),
    },
    {
        "direction": directions.Smoothed(),
        "descent": descents.CurvatureRegularized(),
        "start": starts.Random(),
        "ascent_samples": samples.Drawn(),
        "descent_samples": samples.Rising(),
    },
    {
        "direction": directions.NoiseFirst(),
        "descent": descents.Tilted(climbs=2),
        "start": starts.AdaptiveRandom(),
    },
    {
        "direction": directions.LowerBound(),
        "descent": descents.Functional(),
        "start": starts.Stale(),
    },
]


@pytest.mark.parametrize(
    ("policy", "mode"), [("mixed_float16", "graph"), ("float64", "eager")]
)
@pytest.mark.parametrize("given", TYPES, ids=range(len(TYPES)))
def test_other_types(given, policy, mode):
    """In float16 the optimizer scales the loss. No step here overflows."""
    context = testing.float64() if policy == "float64" else policy_of(policy)
    with context:
        sam, traced = compiled({"rho": 0.1, "ascent_steps": 2, **given}, mode)
        sam.optimizer.build(sam.trainable_variables)
        known = facts([*sam.variables, *sam.optimizer.variables])
        before = [v.numpy() for v in sam.trainable_weights]
        train(sam, traced)
    assert known == facts([*sam.variables, *sam.optimizer.variables])
    assert_sound(sam, before)
    kinds = {v.dtype for v in sam.trainable_variables}
    assert kinds == {"float64" if policy == "float64" else "float32"}


@contextlib.contextmanager
def policy_of(name):
    """Lets models be made of another policy."""
    keras.config.set_dtype_policy(name)
    yield
    keras.config.set_dtype_policy("float32")


# Arguments that do not go together.


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"ascent_samples": samples.Rising()},
            "must not be Rising.*after the climb",
        ),
        (
            {
                "ascent_samples": samples.Rising(),
                "descent_samples": samples.Rising(),
            },
            "must not be Rising.*after the climb",
        ),
        ({"descent": descents.Weighted((0.5, 0.5)), "ascent_steps": 2}, "= 3"),
        ({"descent": descents.Weighted((0.5, 0.5)), "ascent_steps": 0}, "= 1"),
        ({"sync_perturbations": True, "num_batch_splits": 2}, "only one"),
        (
            {"sync_perturbations": True, "ascent_samples": samples.Drawn()},
            "`ascent_samples` chooses.*only one",
        ),
        (
            {"sync_perturbations": True, "descent_samples": samples.Largest()},
            "`descent_samples` chooses.*only one",
        ),
        (
            {"descent": descents.FirstOrderFlatness(), "perturb": "kernel"},
            "`perturb` must be None",
        ),
        (
            {
                "descent": descents.Functional(),
                "descent_samples": samples.Largest(),
            },
            "`descent_samples` must be None",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(given, reason):
    with pytest.raises(ValueError, match=rf"(?s){reason}.*Received"):
        keras_sam.SAM(net()[0], **given)


def accumulating():
    return keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)


class Holder(keras.optimizers.Optimizer):
    """Hands every call to another optimizer, as Keras's MultiOptimizer does."""

    def __init__(self):
        super().__init__(0.0)
        self.base = [keras.optimizers.SGD(0.1)]


@pytest.mark.parametrize("mode", testing.MODES)
@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (accumulating, "gradient_accumulation_steps=2"),
        (
            lambda: keras.optimizers.LossScaleOptimizer(accumulating()),
            "gradient_accumulation_steps=2",
        ),
        (Holder, "hold no other optimizers. Received: Holder"),
    ],
)
def test_a_decoupled_descent_refuses_an_optimizer(optimizer, reason, mode):
    """The error comes before any change. Other descents take the optimizer."""
    given = {"descent": descents.Decoupled()}
    sam, _ = compiled(given, mode, optimizer())
    before = sam.get_weights()
    x, y = testing.data()
    for step in (sam.train_on_batch, sam.fit):
        with pytest.raises(ValueError, match=reason):
            step(x, y)
    for a, b in zip(before, sam.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(SCHEDULES.CosineDecay(0.2, 9)),
        lambda: keras.optimizers.Adam(0.1, clipnorm=1.0, use_ema=True),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
    ],
)
def test_a_decoupled_descent_takes_others(optimizer):
    given = {"descent": descents.Decoupled()}
    sam, traced = compiled(given, "graph", optimizer())
    before = [v.numpy() for v in sam.trainable_weights]
    train(sam, traced)
    assert_sound(sam, before)


def test_parts_of_one_name_are_saved_apart():
    """Two classes are called Random. Their names also decide their draws."""
    modules = (cadences, descents, directions, samples, starts)
    parts = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, keras_sam.Part)
        and "." in value.__module__
        and not value.__name__.startswith("_")
    } - {keras_sam.Part}
    names = [keras.saving.get_registered_name(part) for part in parts]
    assert len(set(names)) == len(parts)
    for part, name in zip(parts, names, strict=True):
        assert keras.saving.get_registered_object(name) is part


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
