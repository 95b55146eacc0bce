"""Embeddings, whose gradients are slices from the tape to the optimizer.

The oracle is the same training with products of one-hot vectors for lookups,
the gradients of which are dense.
"""

import contextlib
import dataclasses
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from keras import ops

import keras_sam
from keras_sam import cadences
from keras_sam import descents
from keras_sam import directions
from keras_sam import samples
from keras_sam import starts
from keras_sam import vectors
from keras_sam._backend import rows
from tests.support import testing

ROWS, WIDTH = 57, 5


@pytest.fixture(autouse=True)
def large(monkeypatch):
    """Lets the tables here be treated as those of many rows."""
    monkeypatch.setattr(rows, "_SMALL", 0)


# Sums of float64 in another order, over a few steps.
ROUNDING = 1e-12


class OneHot(layers.Embedding):
    def call(self, inputs):
        return ops.one_hot(inputs, self.input_dim, dtype=self.dtype) @ (
            self.embeddings
        )


class Tied(layers.Layer):
    """Logits of all words: the table of an embedding, used densely."""

    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding

    def call(self, inputs):
        return inputs @ ops.transpose(self.embedding.embeddings)


def one_lookup(embedding):
    inputs = keras.Input((6,), dtype="int32")
    x = embedding(ROWS, WIDTH)(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def two_lookups(embedding):
    inputs = keras.Input((6,), dtype="int32")
    table = embedding(ROWS, WIDTH)
    first, second = table(inputs[:, :2]), table(inputs[:, 1:])
    x = layers.Concatenate(axis=1)([first, second])
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def two_tables(embedding):
    inputs = keras.Input((6,), dtype="int32")
    first = embedding(ROWS, WIDTH)(inputs[:, :3])
    second = embedding(ROWS + 1, WIDTH)(inputs[:, 3:])
    x = layers.Concatenate(axis=1)([first, second])
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def tied(embedding):
    inputs = keras.Input((6,), dtype="int32")
    table = embedding(ROWS, WIDTH)
    x = layers.GlobalAveragePooling1D()(table(inputs))
    return keras.Model(inputs, Tied(table)(x))


def regularized(embedding):
    inputs = keras.Input((6,), dtype="int32")
    x = embedding(ROWS, WIDTH, embeddings_regularizer="l2")(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def ids():
    """Returns 20 of the ids, of which some occur often in a batch."""
    return np.random.RandomState(0).randint(0, 20, (24, 6)).astype("int32")


def train(net, embedding, arguments, **compiling):
    compiling.setdefault("optimizer", "sgd")
    return testing.train(
        lambda: net(embedding),
        lambda model: keras_sam.SAM(model, **arguments),
        fit={"x": ids()},
        **compiling,
    )


def assert_dense_is_same(net, arguments, **compiling):
    with testing.float64():
        testing.assert_same(
            train(net, layers.Embedding, arguments, **compiling),
            train(net, OneHot, arguments, **compiling),
            atol=ROUNDING,
        )


THREE = {"rho": 0.3, "ascent_steps": 3}
ARGUMENTS = {
    "no climb": {"ascent_steps": 0},
    "no climb, adaptive": {
        "ascent_steps": 0,
        "direction": directions.Adaptive(),
    },
    "one step": {"rho": 0.3},
    "three steps": THREE,
    "full": {**THREE, "radius": "full"},
    "projected": {**THREE, "radius": "projected"},
    "matched": {**THREE, "radius": "matched", "descent": descents.Mean()},
    "unnormalized": {**THREE, "direction": directions.Unnormalized()},
    "unified": {**THREE, "direction": directions.Unified(0.4)},
    "mean": {**THREE, "descent": descents.Mean()},
    "weighted": {**THREE, "descent": descents.Weighted((0.1, 0.2, 0.3, 0.4))},
    "accumulated": {**THREE, "descent": descents.Accumulated(0.5)},
    "penalized": {"rho": 0.3, "descent": descents.Penalized(0.7)},
    "renormalized": {"rho": 0.3, "descent": descents.Renormalized()},
    "tracked": {**THREE, "track": True},
    "table alone": {**THREE, "perturb": "embeddings"},
    "table not": {**THREE, "perturb": "kernel"},
    "part climbs": {
        "rho": 0.3,
        "descent": descents.Penalized(0.7),
        "ascent_samples": samples.Drawn(0.5),
    },
    "part descends": {
        "rho": 0.3,
        "descent": descents.Penalized(0.7),
        "descent_samples": samples.Rising(0.5),
    },
    # What makes gradients dense.
    "adaptive": {"rho": 0.3, "direction": directions.Adaptive()},
    "gap": {"rho": 0.3, "descent": descents.SurrogateGap()},
    "decoupled": {"rho": 0.3, "descent": descents.Decoupled(0.5)},
    "interval": {"rho": 0.3, "cadence": cadences.Every(2)},
    "stale": {"rho": 0.3, "ascent_steps": 0, "start": starts.Stale()},
    "random": {"rho": 0.3, "start": starts.Random()},
    "parts": {"rho": 0.3, "num_batch_splits": 2},
    "synced": {"rho": 0.3, "sync_perturbations": True},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name):
    assert_dense_is_same(one_lookup, ARGUMENTS[name])


@pytest.mark.parametrize(
    "descent, mode",
    [
        (descents.Last(), "graph"),
        # `test_xla` has one of these nets.
        pytest.param(descents.Mean(), "xla", marks=testing.ALSO),
    ],
)
@pytest.mark.parametrize(
    "net", [one_lookup, two_lookups, two_tables, regularized]
)
def test_nets(net, descent, mode):
    arguments = {**THREE, "descent": descent}
    assert_dense_is_same(net, arguments, **testing.MODES[mode])


@pytest.mark.parametrize("mode", testing.MODES)
def test_tied(mode):
    assert_dense_is_same(tied, THREE, **testing.MODES[mode])


@pytest.mark.parametrize("xla", [True, False])
@pytest.mark.parametrize("name", ["three steps", "mean", "part climbs"])
def test_compiled_passes(name, xla):
    assert_dense_is_same(one_lookup, {**ARGUMENTS[name], "xla": xla})


@pytest.mark.parametrize("name", ["mean", "part descends"])
def test_xla(name):
    assert_dense_is_same(one_lookup, ARGUMENTS[name], jit_compile=True)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.SGD(0.1, weight_decay=0.1),
        lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
        lambda: keras.optimizers.SGD(0.1, loss_scale_factor=8.0),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
    ],
)
def test_optimizers(optimizer):
    assert_dense_is_same(one_lookup, THREE, optimizer=optimizer)


@contextlib.contextmanager
def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_mixed_precision():
    with mixed_float16():
        results = [
            train(one_lookup, embedding, THREE)
            for embedding in (layers.Embedding, OneHot)
        ]
    # Rows of an id are rounded to float16 before, or after, they add up.
    testing.assert_same(*results, atol=2e-3)


def test_overflow_skips_the_step():
    def optimizer():
        return keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1), initial_scale=1e30
        )

    with mixed_float16():
        model, _ = train(
            one_lookup, layers.Embedding, THREE, optimizer=optimizer
        )
    assert model.optimizer.iterations == 0


# What parts see.


@dataclasses.dataclass(frozen=True)
class Spy(keras_sam.Part):
    """The gradient; notes whether one was slices."""

    seen: list

    def __call__(self, grads, params):
        self.seen.extend(rows.sliced(grad) for grad in grads)
        return vectors.unit(grads)


@dataclasses.dataclass(frozen=True)
class SlicedSpy(Spy):
    takes_slices = True


@pytest.mark.parametrize(
    "spy, arguments, expected",
    [
        (Spy, {}, False),
        (SlicedSpy, {}, True),
        (SlicedSpy, {"descent": descents.SurrogateGap()}, False),
        (SlicedSpy, {"num_batch_splits": 2}, False),
        (SlicedSpy, {"cadence": cadences.Every(2)}, False),
    ],
)
def test_parts_get_what_they_take(spy, arguments, expected):
    direction = spy([])
    arguments = {"rho": 0.3, "direction": direction, **arguments}
    train(one_lookup, layers.Embedding, arguments)
    assert any(direction.seen) is expected


# What a step costs.


def operations(graph, shape):
    """Yields all operations of a graph and its functions of such an output."""
    for operation in graph.get_operations():
        if any(output.shape == shape for output in operation.outputs):
            yield operation.type
    for function in graph._functions.values():
        yield from operations(function.graph, shape)


@pytest.mark.parametrize("descent", [descents.Last(), descents.Mean()])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_what_is_as_large_as_the_table(steps, descent):
    sam = keras_sam.SAM(
        one_lookup(layers.Embedding), ascent_steps=steps, descent=descent
    )
    sam.compile("sgd", testing.cross_entropy())
    x, y = ids(), testing.data()[1]
    sam.fit(x, y, verbose=0)
    step = tf.function(sam.train_step, autograph=False)
    traced = step.get_concrete_function((tf.constant(x), tf.constant(y)))
    found = list(operations(traced.graph, (ROWS, WIDTH)))
    # The weights, once; the ascended points, in the one function of all
    # ascent steps; what hands them on to functions and back.
    assert found.count("ReadVariableOp") == 1
    assert found.count("TensorScatterAdd") == min(steps, 1)
    copied = {"ReadVariableOp", "TensorScatterAdd"}
    assert set(found) <= {*copied, "Placeholder", "Identity", "PartitionedCall"}


@dataclasses.dataclass(frozen=True)
class Squares(descents.Last):
    """Overrides a descent that takes slices with what does not."""

    def __call__(self, clean, path):
        return [ops.square(g) for g in super().__call__(clean, path)]


def test_what_is_overridden_gets_dense_gradients():
    assert_dense_is_same(one_lookup, {"descent": Squares()})


# The arithmetic.


def random_slices(indices, seed):
    random = np.random.RandomState(seed)
    return tf.IndexedSlices(
        random.normal(size=(len(indices), WIDTH)),
        tf.constant(indices, "int64"),
        tf.constant((ROWS, WIDTH)),
    )


INDICES = {
    "the same": ([3, 9, 3, 0], [3, 9, 3, 0]),
    "others": ([3, 9, 3, 0], [9, 9, 7, 3]),
    "fewer": ([3, 9, 3, 0], [3, 9]),
    "more": ([3, 9], [3, 9, 3, 0]),
    "one": ([3, 3, 3], [3]),
    "none": ([3, 9], []),
}


def test_zeros_are_in_the_same_rows():
    """So a sum that begins with them adds rows at the same places."""
    slices = random_slices([3, 9, 3], 0)
    (zeros,) = vectors.zeros([slices])
    np.testing.assert_array_equal(zeros.indices, slices.indices)
    (total,) = vectors.add([zeros], [slices])
    np.testing.assert_array_equal(*map(tf.convert_to_tensor, (total, slices)))


def test_small_tables_are_not_sorted(monkeypatch):
    x, y = (random_slices(INDICES["others"][i], i) for i in range(2))
    sorted_ = [vectors.dot([x], [y]), vectors.norm([x])]
    monkeypatch.undo()
    as_a_whole = [vectors.dot([x], [y]), vectors.norm([x])]
    np.testing.assert_allclose(sorted_, as_a_whole, rtol=1e-14)  # float64
    found, _ = rows.aligned(x, y)
    assert found.shape == (ROWS, WIDTH)


# XLA knows all shapes.
@pytest.mark.parametrize(
    "shapes, compiled", [("known", None), ("unknown", None), ("known", True)]
)
@pytest.mark.parametrize("name", INDICES)
def test_add_and_dot(name, shapes, compiled):
    first, second = INDICES[name]
    x, y = random_slices(first, 0), random_slices(second, 1)

    @tf.function(jit_compile=compiled)
    def found(x, y):
        (total,) = vectors.add([x], [y])
        assert rows.sliced(total)
        (more,) = vectors.add([total], [y])
        return total, more, vectors.dot([x], [y]), vectors.norm([total])

    if shapes == "unknown":
        spec = tf.IndexedSlicesSpec((None, WIDTH), "float64", "int64", "int32")
        found = tf.function(found, input_signature=[spec, spec])
    total, more, dot, norm = found(x, y)
    x, y = tf.convert_to_tensor(x), tf.convert_to_tensor(y)
    for one, two in [
        (total, x + y),
        (more, x + 2 * y),
        (dot, tf.reduce_sum(x * y)),
        (norm, tf.norm(x + y)),
    ]:
        np.testing.assert_allclose(
            tf.convert_to_tensor(one), two, rtol=0, atol=ROUNDING
        )


def test_sums_keep_rows_of_a_batch_apart():
    # As one gradient has them, for optimizers that square each row.
    x, y = random_slices([3, 3], 0), random_slices([3, 3], 1)
    total = rows.add(x, y)
    found = [row for row in total.values.numpy() if row.any()]
    np.testing.assert_array_equal(found, x.values + y.values)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
