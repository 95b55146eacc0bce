"""A method that promises fewer evaluations spends fewer.

Passes are counted in the executed graph, by a layer that notes the batch size
of each pass; a pass that only goes forward counts like any other.
"""

import functools
import math
import sys

import pytest

from tests.support import testing  # isort: skip

import keras
import numpy as np
import tensorflow as tf

import keras_sam
from examples import methods
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import recipes
from keras_sam import samples
from keras_sam import starts

NONE = tf.distribute.get_strategy()
SIZE = 8  # Of a batch.
STEPS = 12


@keras.saving.register_keras_serializable(package="costs_test")
class Counter(keras.layers.Layer):
    """Notes the batch size of each of its executed calls."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.sizes = []

    def call(self, inputs):
        def note(size):
            self.sizes.append(int(size))
            return np.float32(0.0)

        size = tf.shape(inputs)[0]
        zero = tf.numpy_function(note, [size], tf.float32, stateful=True)
        return inputs + tf.ensure_shape(zero, [])


def counted(mode="graph", compiling=None, **given):
    """Returns a compiled wrapper and its `Counter`."""
    keras.utils.set_random_seed(0)
    counter = Counter(name="counter")
    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, activation="tanh", name="hidden")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    outputs = keras.layers.Dense(3, name="logits")(counter(x))
    sam = keras_sam.SAM(keras.Model(inputs, outputs), **given)
    sam.compile(
        keras.optimizers.SGD(0.5),
        testing.cross_entropy(),
        **testing.MODES[mode],
        **(compiling or {}),
    )
    sam.optimizer.build(sam.trainable_variables)
    return sam, counter


def spent(sam, counter, steps=STEPS):
    """Trains; returns the list of batch sizes of each step."""
    found = []
    for seed in range(steps):
        before = len(counter.sizes)
        testing.replicated_step(sam, *testing.data(SIZE, seed=seed))
        found.append(counter.sizes[before:])
    return found


def passes(found):
    return [len(step) for step in found]


# A recipe costs what the examples say.


def now_and_then(sam, climbs):
    """Returns the examples that the parts of a `period` see in so many climbs.

    In the first of each `period` climbs.
    """

    def times(part):
        return math.ceil(climbs / part.period)

    def measured(part):
        period = part.period * part.steps_per_epoch
        return sum(c % period < part.mask.batches for c in range(climbs))

    found, direction, descent = 0, sam.direction, sam.descent
    for part in (direction, descent):
        if isinstance(part, (directions.Eigen, descents.EigenCorrected)):
            found += times(part) * part.iterations * SIZE
    if isinstance(direction, directions.Sparse) and isinstance(
        direction.mask, directions.FisherMask
    ):
        found += measured(direction) * min(direction.mask.examples, SIZE)
    if isinstance(descent, descents.SearchedSlerp):
        found += times(descent) * 21 * SIZE
    return found


@pytest.mark.parametrize(
    "mode", testing.thinned(["eager", "graph"], lambda i, mode: mode == "eager")
)
@pytest.mark.parametrize("name", recipes.RECIPES)
def test_a_recipe_costs_what_the_examples_say(name, mode):
    sam, counter = counted(mode, **recipes.RECIPES[name].arguments)
    steps = 7
    found = spent(sam, counter, steps)
    climbs = steps if sam.climbs is None else sam.climbs
    if not sam.ascent_steps:
        climbs = 0
    expected = steps * SIZE + climbs * methods.evaluations(sam) * SIZE
    assert sum(map(sum, found)) == expected + now_and_then(sam, climbs)


@pytest.mark.parametrize(
    "given",
    [
        {"direction": directions.Eigen(period=3, iterations=2)},
        {
            "direction": directions.Sparse(
                directions.FisherMask(examples=5), period=3
            )
        },
        {
            "direction": directions.Sparse(
                directions.FisherMask(5, batches=2), period=1, steps_per_epoch=3
            )
        },
        {"descent": descents.SearchedSlerp(period=3)},
        {"descent": descents.EigenCorrected(period=3, iterations=2)},
    ],
)
@pytest.mark.parametrize("cadence", [cadences.Every(), cadences.Every(2)])
def test_what_happens_once_a_period(given, cadence):
    sam, counter = counted(cadence=cadence, **given)
    found = spent(sam, counter)
    climbs = STEPS // cadence.k
    more = now_and_then(sam, climbs)
    assert more == now_and_then(sam, 3) * math.ceil(climbs / 3)
    assert sum(map(sum, found)) == (STEPS + climbs) * SIZE + more


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({"ascent_steps": 0}, 1),
        ({"ascent_steps": 0, "start": starts.Momentum()}, 1),
        ({"ascent_steps": 0, "start": starts.Stale()}, 1),
        ({"ascent_steps": 0, "start": starts.Random()}, 1),
        ({"ascent_steps": 0, "start": starts.AdaptiveRandom()}, 1),
        ({"start": starts.Stale(), "ascent_steps": 2}, 3),
        ({"descent": descents.CurvatureRegularized()}, 3),
        ({"descent": descents.FirstOrderFlatness()}, 4),
        ({"descent": descents.Mirrored()}, 3),
        (
            {
                "descent": descents.Mirrored(climbs=2),
                "direction": directions.Random(scaled=False),
            },
            5,
        ),
        (
            {
                "descent": descents.Tilted(climbs=3),
                "direction": directions.NoiseFirst(),
                "ascent_steps": 2,
            },
            7,
        ),
        # The outputs are those of the clean pass.
        ({"descent": descents.Functional()}, 2),
        ({"descent": descents.Functional(), "ascent_steps": 2}, 3),
        # `track` evaluates the end besides.
        ({"descent": descents.Functional(), "track": True}, 3),
        ({"direction": directions.LowerBound()}, 4),
        ({"direction": directions.Smoothed()}, 3),
        ({"direction": directions.Smoothed(), "ascent_steps": 2}, 5),
        ({"ascent_samples": samples.Largest(0.5)}, 3),
        ({"num_batch_splits": 2, "descent": descents.FirstOrderFlatness()}, 8),
    ],
)
def test_a_step_costs(given, number):
    sam, counter = counted(**given)
    assert passes(spent(sam, counter, 3)) == [number] * 3
    assert sam.climbs is None


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({"ascent_samples": samples.Drawn(0.25)}, [8, 2, 8]),
        ({"descent_samples": samples.Largest(0.25)}, [8, 2]),
        ({"descent_samples": samples.Rising(0.5)}, [8, 8, 4]),
        (
            {
                "ascent_samples": samples.Largest(0.5),
                "descent_samples": samples.Largest(0.5),
                "ascent_steps": 2,
            },
            [8, 4, 4, 4],
        ),
        (
            {
                "ascent_samples": samples.Drawn(0.25),
                "descent_samples": samples.Rising(0.5),
                "ascent_steps": 2,
            },
            [8, 2, 8, 4, 2, 8, 4],
        ),
        (
            {"descent_samples": samples.Rising(0.5), "num_batch_splits": 2},
            [4, 4, 2] * 2,
        ),
    ],
)
def test_the_examples_of_a_step(given, sizes, mode):
    """Of the passes of a step, in the order in which they are."""
    sam, counter = counted(mode, **given)
    found = spent(sam, counter, 3)
    assert list(map(sorted, found)) == [sorted(sizes)] * 3


# Steps that do not climb.

CADENCES = {
    "every": cadences.Every(3),
    "within": cadences.Every(2, start=3, stop=8),
    "reuse": cadences.Reuse(5),
    "late": cadences.LatePhase(STEPS, fraction=0.3),
    "randomly": cadences.Randomly(0.4, seed=1),
    "threshold": cadences.Threshold(STEPS),
}
# Which steps climb, where that does not depend on the data.
DUE = {
    "every": [t % 3 == 0 for t in range(STEPS)],
    "within": [t in (3, 5, 7) for t in range(STEPS)],
    "late": [t >= STEPS - round(0.3 * STEPS) for t in range(STEPS)],
    "reuse": [t % 5 == 0 for t in range(STEPS)],
}
PLACES = {
    "eager": {"mode": "eager"},
    "graph": {},
    "splits": {"num_batch_splits": 2},
    "replicas": {},
    "split replicas": {"num_batch_splits": 2},
    "synced": {"sync_perturbations": True},
}


def strategy(place):
    two = "replicas" in place or place == "synced"
    return testing.two_replicas() if two else NONE


@pytest.mark.parametrize(
    "place",
    testing.thinned(
        PLACES, lambda i, place: place not in ("replicas", "split replicas")
    ),
)
@pytest.mark.parametrize("name", CADENCES)
def test_skipped_steps_cost_one_evaluation(name, place):
    """Each part of a batch for itself; all replicas alike."""
    with strategy(place).scope():
        sam, counter = counted(
            ascent_steps=2, cadence=CADENCES[name], rho=0.1, **PLACES[place]
        )
    parts = {"splits": 2, "replicas": 2, "split replicas": 4, "synced": 2}
    parts = parts.get(place, 1)
    found = passes(spent(sam, counter))
    assert 0 < sam.climbs < STEPS
    assert sum(found) == parts * (STEPS + 2 * sam.climbs)
    replicas = strategy(place).num_replicas_in_sync
    assert {(number - parts) % (2 * replicas) for number in found} == {0}
    if name in DUE:
        assert found == [parts * (3 if due else 1) for due in DUE[name]]


@pytest.mark.parametrize("place", ["graph", "replicas", "synced"])
def test_costs_with_steps_per_execution(place):
    with strategy(place).scope():
        sam, counter = counted(
            cadence=cadences.Reuse(4),
            compiling={"steps_per_execution": 3},
            **PLACES[place],
        )
    x, y = testing.data(SIZE * 9)
    counter.sizes.clear()
    sam.fit(x, y, batch_size=SIZE, verbose=0)
    # Steps 0, 4 and 8 climb.
    assert sam.climbs == 3
    replicas = 1 if place == "graph" else 2
    assert len(counter.sizes) == replicas * (9 + 3)


@pytest.mark.parametrize("place", ["graph", "replicas", "synced"])
def test_climbs_go_on_after_loading(place, tmp_path):
    with strategy(place).scope():
        sam, counter = counted(cadence=cadences.Threshold(9), **PLACES[place])
        spent(sam, counter, 5)
        sam.save(tmp_path / "sam.keras")
        loaded = keras.saving.load_model(tmp_path / "sam.keras")
        assert loaded.climbs == sam.climbs > 0
        spent(loaded, counter, 5)
        spent(sam, counter, 5)
    assert loaded.climbs == sam.climbs


# Where passes are in the graph.


def branches(graph):
    """Returns the ops in branches of conditionals, and what they call."""
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}

    def called(nodes):
        for node in nodes:
            for value in node.attr.values():
                yield from ([value.func] if value.func.name else [])
                yield from value.list.func

    pending = [
        function.name
        for nodes in (
            definition.node,
            *(f.node_def for f in functions.values()),
        )
        for function in called(n for n in nodes if "If" in n.op)
    ]
    found, seen = [], set()
    while pending:
        name = pending.pop()
        if name not in seen and name in functions:
            seen.add(name)
            nodes = functions[name].node_def
            found += [node.op for node in nodes]
            pending += [function.name for function in called(nodes)]
    return found


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize(
    "name",
    testing.thinned(["every", "threshold"], lambda i, name: name != "every"),
)
def test_passes_are_in_conditionals_and_collectives_are_not(name, sync):
    with testing.two_replicas().scope():
        sam, _ = counted(
            direction=directions.Eigen(period=2),
            descent=descents.CurvatureRegularized(),
            cadence=CADENCES[name],
            sync_perturbations=sync,
        )
        x, y = map(tf.constant, testing.data(SIZE))

        @tf.function
        def step():
            return testing.two_replicas().run(sam.train_step, [(x, y)])

        graph = step.get_concrete_function().graph
    inside = branches(graph)
    everywhere = [node.op for node in graph.as_graph_def().node] + [
        node.op
        for function in graph.as_graph_def().library.function
        for node in function.node_def
    ]
    assert any("Collective" in op for op in everywhere)
    assert not [op for op in inside if "Collective" in op]
    assert "EagerPyFunc" in inside or "PyFunc" in inside


# A cadence changes when, not what.


class Always(keras_sam.Part):
    """Climbs in each step, which the graph does not know."""

    def __call__(self, clean, *, context):
        return context.iterations >= 0


def adam():
    """Returns an Adam that makes no steps of rounding errors.

    They are all that is left of the gradient of a bias before a normalization,
    and Adam would divide them by their own size.
    """
    return keras.optimizers.Adam(epsilon=1e-3)


# What several are compared with is trained once.
@functools.cache
def trained(mode, climbing=True, steps=4, **given):
    """Returns the weights after some steps on one device.

    Args:
        mode: Name in `testing.MODES`.
        climbing: Whether in a wrapper, or else the plain model is trained.
        steps: Integer, how many.
        **given: Arguments of the wrapper.
    """
    keras.utils.set_random_seed(0)
    model = testing.full_net()
    if climbing:
        model = keras_sam.SAM(model, **given)
    model.compile(adam(), testing.cross_entropy(), **testing.MODES[mode])
    for seed in range(steps):
        model.train_on_batch(*testing.data(SIZE, seed=seed))
    inner = getattr(model, "model", model)
    return [v.numpy() for v in inner.variables]


def assert_equal(first, second, mode):
    """Eagerly to the bit; in a conditional a graph is fused otherwise."""
    atol = 0.0 if mode == "eager" else 1e-6
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("cadence", "mode"),
    [
        (Always(), "eager"),
        (Always(), "graph"),
        (cadences.Reuse(1), "eager"),
        (cadences.LatePhase(99, fraction=1.0), "eager"),
        (cadences.Randomly(1.0), "eager"),
    ],
)
def test_a_cadence_that_always_climbs_changes_nothing(cadence, mode):
    expected = trained(mode, cadence=cadences.Every(1), ascent_steps=2)
    found = trained(mode, cadence=cadence, ascent_steps=2)
    assert_equal(expected, found, mode)
    assert_equal(expected, trained(mode, ascent_steps=2), mode)


@pytest.mark.parametrize(
    ("cadence", "mode"),
    [
        (cadences.Every(start=99), "eager"),
        (cadences.Every(start=99), "graph"),
        (cadences.LatePhase(99), "eager"),
        (cadences.Randomly(0.0), "eager"),
    ],
)
def test_a_cadence_that_never_climbs_is_plain_keras(cadence, mode):
    expected = trained(mode, climbing=False)
    found = trained(mode, cadence=cadence, direction=directions.Eigen())
    assert_equal(expected, found, mode)


# Replicas are parts of a batch, but that they decide alike.


def after_three_steps(**given):
    """Returns the weights, and the memory, after three steps."""
    keras.utils.set_random_seed(0)
    sam = keras_sam.SAM(testing.dense_net(), rho=0.1, **given)
    sam.compile(keras.optimizers.SGD(0.5), testing.cross_entropy())
    sam.optimizer.build(sam.trainable_variables)
    for seed in range(3):
        testing.replicated_step(sam, *testing.data(SIZE, seed=seed))
    return {v.path: v.numpy() for v in sam.variables}


@pytest.mark.parametrize(
    "name",
    testing.thinned(
        sorted({*testing.STATEFUL} - {"threshold"}), lambda i, name: i % 2 == 0
    ),
)
def test_replicas_are_parts_of_a_batch(name):
    given = testing.STATEFUL[name]
    with testing.two_replicas().scope():
        two = after_three_steps(**given)
    one = after_three_steps(**given, num_batch_splits=2)
    assert any("memory" in path for path in two)
    for (path, a), b in zip(two.items(), one.values(), strict=True):
        # They add up in another order, which a norm or a mask of ties and
        # three steps enlarge.
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5, err_msg=path)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
