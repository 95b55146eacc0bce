"""Parts with a memory: a direction and a descent of a user."""

import dataclasses
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_sam
from keras_sam import descents
from tests.support import oracle
from tests.support import testing


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Friendly(keras_sam.Part):
    """Friendly SAM (arXiv:2403.12350), without a special first step."""

    sigma: float = 1.0
    decay: float = 0.9

    def init(self, params):
        return [ops.zeros_like(w) for w in params]

    def __call__(self, grads, params, memory):
        pairs = list(zip(grads, memory, strict=True))
        step = [g - self.sigma * m for g, m in pairs]
        memory = [self.decay * m + (1 - self.decay) * g for g, m in pairs]
        return keras_sam.directions.Normalized()(step, params), memory


@keras.saving.register_keras_serializable(package="tests")
@dataclasses.dataclass(frozen=True)
class Anchored(keras_sam.Part):
    """Adds 0.1 times the distance from the first weights; counts the steps."""

    def init(self, params):
        return {"anchor": params, "count": ops.zeros((), "int32")}

    def __call__(self, clean, path, memory):
        grads = descents.Last()(clean, path)
        ways = zip(grads, clean.params, memory["anchor"], strict=True)
        grads = [g + 0.1 * (w - a) for g, w, a in ways]
        return grads, {**memory, "count": memory["count"] + 1}


def trained(steps, mode="graph", **arguments):
    """Returns the wrapper after some steps of SGD, and its batches."""
    keras.utils.set_random_seed(0)
    sam = keras_sam.SAM(testing.dense_net(), rho=0.1, **arguments)
    sam.compile(
        keras.optimizers.SGD(0.5),
        testing.cross_entropy(),
        **testing.MODES[mode],
    )
    batches = [testing.data(seed=seed) for seed in range(steps)]
    start = sam.model.get_weights()
    for x, y in batches:
        sam.train_on_batch(x, y)
    return sam, start, batches


@pytest.mark.parametrize("mode", testing.MODES)
def test_direction_with_memory(mode):
    sam, w, batches = trained(4, mode, direction=Friendly(sigma=0.5))
    history = []
    for x, y in batches:
        history.append(oracle.gradient(w, x, y))
        u = oracle.sam(oracle.friendly(history, sigma=0.5)[-1], w)
        z = [a + 0.1 * b for a, b in zip(w, u, strict=True)]
        step = oracle.gradient(z, x, y)
        w = [a - 0.5 * b for a, b in zip(w, step, strict=True)]
    for a, b in zip(sam.model.get_weights(), w, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("mode", testing.MODES)
def test_descent_with_memory(mode):
    sam, w, batches = trained(3, mode, descent=Anchored())
    anchor = w
    for x, y in batches:
        _, g = oracle.climb(w, x, y, oracle.sam, "split", 0.1, 1)
        w = [
            a - 0.5 * (b + 0.1 * (a - c))
            for a, b, c in zip(w, g[-1], anchor, strict=True)
        ]
    for a, b in zip(sam.model.get_weights(), w, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    count = [v for v in sam.non_trainable_weights if v.dtype == "int32"]
    assert [int(v.numpy()) for v in count] == [3]


def test_memory_is_of_the_perturbed_variables():
    sam, _, _ = trained(1, direction=Friendly(), perturb="hidden/kernel")
    assert [tuple(v.shape) for v in sam.non_trainable_weights] == [(6, 8)]


def test_memory_is_made_with_the_weights_of_a_model_built_late():
    inner = keras.Sequential([keras.layers.Dense(3)])
    sam = keras_sam.SAM(inner, descent=Anchored())
    sam.compile(keras.optimizers.SGD(0.0), testing.cross_entropy())
    sam.train_on_batch(*testing.data())
    kernel, bias = inner.get_weights()
    remembered = [v.numpy() for v in sam.non_trainable_weights]
    np.testing.assert_array_equal(remembered[0], kernel)
    np.testing.assert_array_equal(remembered[1], bias)


def test_memory_is_averaged_over_splits():
    whole, _, _ = trained(1, direction=Friendly())
    parts, _, _ = trained(1, direction=Friendly(), num_batch_splits=3)
    for a, b in zip(
        whole.non_trainable_weights, parts.non_trainable_weights, strict=True
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-7)


def test_stateless_parts_add_no_weights():
    sam, _, _ = trained(1)
    assert len(sam.weights) == len(sam.model.weights)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
