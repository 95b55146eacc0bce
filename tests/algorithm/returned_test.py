"""What a part returns has the shapes that its role says, or is an error."""

import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import parts
from tests.support import engine
from tests.support import testing


def transposed(tensors):
    """The kernels are 6 x 8 and 8 x 3."""
    return [ops.transpose(t) for t in tensors]


def summed(tensors):
    """Scalars, which broadcast against anything."""
    return [ops.sum(t) for t in tensors]


def rows(tensors):
    """One row, which broadcasts against all rows."""
    return [t[:1] for t in tensors]


def half(tensors):
    return [ops.cast(t, "float16") for t in tensors]


def missing(tensors):
    return [None, *tensors[1:]]


class Scaled(parts.Direction):
    def factor(self, grads):
        return grads[1]

    def __call__(self, grads, params):
        return grads


class Resting(parts.Cadence):
    def __call__(self, clean):
        return ops.convert_to_tensor(False)

    def rest(self, clean, memory):
        return summed(clean.grads)


class Decoupled(parts.Descent):
    decoupled = True

    def __call__(self, clean, path):
        return clean.grads, summed(parts.last(clean, path).grads)


WRONG = {
    "transposed": (transposed, r"Tensor 0 \(of 0 to 3\) must be of shape "),
    "summed": (summed, r"of shape \(6, 8\), float32\. .* of shape \(\)"),
    "rows": (rows, r"of shape \(6, 8\), float32\. .* of shape \(1, 8\)"),
    "half": (half, r"float32\. Received: of shape \(6, 8\), float16"),
    "missing": (missing, r"of shape \(6, 8\), float32\. Received: None"),
}


def refuses(match, run_eagerly=False, **arguments):
    """Asserts that a step is an error, and that it changes no variable."""
    sam = keras_sam.SAM(testing.dense_net(), **arguments)
    sam.compile("sgd", testing.cross_entropy(), run_eagerly=run_eagerly)
    before = [v.numpy() for v in sam.variables]
    with pytest.raises(ValueError, match=match):
        sam.train_on_batch(*testing.data())
    for a, b in zip(before, sam.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


@pytest.mark.parametrize("run_eagerly", [False, True])
@pytest.mark.parametrize("wrong", WRONG)
def test_tensors_of_other_shapes(wrong, run_eagerly):
    change, match = WRONG[wrong]
    refuses(
        rf"`direction`\) must return tensors .*{match}",
        run_eagerly,
        direction=lambda grads, params: change(grads),
    )


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("descent", lambda clean, path: summed(next(path).grads)),
        ("descent", Decoupled()),
        ("cadence", Resting()),
        ("start", lambda params: summed(params)),
    ],
)
def test_every_role_names_its_argument(name, part):
    refuses(rf"`{name}`\) must return tensors shaped like", **{name: part})


def test_a_factor_is_a_scalar():
    refuses(
        r"`direction`\) must return `factor`, a scalar\. .*\(8,\)",
        direction=Scaled(),
    )


@pytest.mark.parametrize(
    ("chosen", "received"),
    [
        (lambda losses: losses > 0, "bool"),
        (lambda losses: losses, "float32"),
        (lambda losses: ops.argsort(losses)[None], r"of shape \(1, \d+\)"),
        (lambda losses: ops.argmax(losses), r"of shape \(\)"),
    ],
)
def test_indices(chosen, received):
    refuses(
        rf"`ascent_samples`\) must return the indices .*{received}",
        ascent_samples=lambda clean_losses, losses: chosen(clean_losses()),
    )


class Remembering:
    """A direction that changes its memory as a function says."""

    def __init__(self, change):
        self._change = change

    def init(self, params):
        return {"count": ops.zeros((), "int32"), "way": params}

    def __call__(self, grads, params, memory):
        return grads, self._change(memory)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda m: m["way"], "a memory with the structure that `init`"),
        (lambda m: {**m, "more": m["count"]}, "a memory with the structure"),
        (lambda m: {**m, "count": ops.zeros(1, "int32")}, r"Tensor 0 .*\(1,\)"),
        (lambda m: {**m, "count": ops.zeros(())}, r"int32\. .* float32"),
        (lambda m: {**m, "way": summed(m["way"])}, r"Tensor 1 .*\(6, 8\)"),
    ],
)
def test_a_memory_that_changes_more_than_its_values(change, match):
    refuses(match, direction=Remembering(change))


class Learning(parts.Start):
    def init(self, params):
        return params

    def __call__(self, params, memory):
        return params, memory

    def learn(self, grads, memory):
        return summed(grads)


class LearningDirection(parts.Direction):
    def init(self, params):
        return params

    def __call__(self, grads, params, memory):
        return grads, memory

    def learn(self, grads, memory):
        return summed(grads)


class LearningCadence(parts.Cadence):
    def init(self, params):
        return params

    def __call__(self, clean, memory):
        return True, memory

    def learn(self, clean, grads, memory):
        return grads[0]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("start", Learning()),
        ("cadence", LearningCadence()),
        ("direction", LearningDirection()),
    ],
)
def test_what_is_learnt(name, part):
    refuses(rf"`learn` of .*`{name}`\) must return a memory", **{name: part})


@pytest.mark.parametrize("mode", testing.MODES)
def test_numbers_of_numpy_and_of_python_are_tensors(mode):
    """NumPy's float64 becomes the dtype of the weights, as in TensorFlow."""

    def noise(grads, params):
        return [np.ones(w.shape) for w in params]

    def ones(grads, params):
        return [ops.ones(w.shape, w.dtype) for w in params]

    first, second = (
        testing.train(
            testing.dense_net,
            lambda model: keras_sam.SAM(model, direction=direction),  # noqa: B023
            fit={"epochs": 1},
            **testing.MODES[mode],
        )
        for direction in (noise, ones)
    )
    testing.assert_same(first, second)


@testing.TENSORFLOW  # On JAX they are dense.
def test_slices_pass():
    """Gradients of embeddings have no static shape within a graph."""
    net = keras.Sequential(
        [
            keras.Input((2,), dtype="int32"),
            keras.layers.Embedding(4, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    seen = []

    class Looks(parts.Direction):
        takes_slices = True

        def __call__(self, grads, params):
            seen.append(isinstance(grads[0], engine.tf.IndexedSlices))
            return keras_sam.vectors.unit(grads)

    sam = keras_sam.SAM(net, direction=Looks())
    sam.compile("sgd", testing.cross_entropy())
    sam.train_on_batch(np.zeros((4, 2), "int32"), np.zeros(4))
    assert seen == [True]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
