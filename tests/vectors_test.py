"""Arithmetic on lists of tensors."""

import sys

import numpy as np
import pytest
from keras import ops

from keras_sam import vectors
from tests.support import engine


@pytest.fixture(autouse=True)
def float64():
    with engine.float64():
        yield


def lists(dtype="float64"):
    random = np.random.RandomState(0)
    arrays = [random.normal(size=shape) for shape in ((3, 2), (4,), ())]
    return arrays, [ops.convert_to_tensor(a, dtype) for a in arrays]


def test_against_numpy():
    arrays, tensors = lists()
    flat = np.concatenate([a.ravel() for a in arrays])
    assert float(vectors.dot(tensors, tensors)) == pytest.approx(flat @ flat)
    assert float(vectors.norm(tensors)) == pytest.approx(np.linalg.norm(flat))
    for actual, a in zip(vectors.add(tensors, tensors), arrays, strict=True):
        np.testing.assert_array_equal(actual, a + a)
    for actual in vectors.subtract(tensors, tensors):
        np.testing.assert_array_equal(actual, 0 * actual)
    for actual, a in zip(vectors.unit(tensors), arrays, strict=True):
        np.testing.assert_allclose(actual, a / np.linalg.norm(flat))
    for actual, a in zip(vectors.zeros(tensors), arrays, strict=True):
        np.testing.assert_array_equal(actual, np.zeros_like(a))


@pytest.mark.parametrize("name", ["add", "subtract", "dot"])
def test_lists_of_different_lengths_are_an_error(name):
    _, tensors = lists()
    with pytest.raises(ValueError):
        getattr(vectors, name)(tensors, tensors[:2])


def test_a_python_factor_is_not_rounded():
    (scaled,) = vectors.scale(0.1, [ops.ones((), "float64")])
    assert float(scaled) == 0.1


def test_a_tensor_factor_keeps_the_dtype():
    factor = ops.convert_to_tensor(0.5, "float32")
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        _, tensors = lists(dtype)
        for scaled, tensor in zip(
            vectors.scale(factor, tensors), tensors, strict=True
        ):
            assert scaled.dtype == tensor.dtype
            assert ops.all(scaled == tensor * 0.5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_squares_of_half_precision_do_not_overflow(dtype):
    huge = [ops.convert_to_tensor([3e4, 4e4], dtype)]
    assert float(vectors.norm(huge)) == pytest.approx(5e4, rel=1e-2)
    (unit,) = vectors.unit(huge)
    np.testing.assert_allclose(ops.cast(unit, "float32"), [0.6, 0.8], rtol=1e-2)


def test_dtypes_may_differ_within_a_vector():
    mixed = [ops.full((1,), 3.0, "float32"), ops.full((1,), 4.0, "float64")]
    assert float(vectors.norm(mixed)) == 5.0


def test_zero_has_no_direction():
    for unit in vectors.unit([ops.zeros((2, 2)), ops.zeros(3)]):
        np.testing.assert_array_equal(unit, np.zeros(unit.shape))
    np.testing.assert_array_equal(
        vectors.reciprocal(ops.convert_to_tensor([0.0, -2.0])), [0.0, -0.5]
    )


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_a_length_that_overflows_stays_visible(mode):
    """Else a finite gradient would silently give no step."""
    unit = engine.compiled(vectors.unit, mode)
    assert np.isnan(unit([ops.full((2,), 1e20)])[0]).all()
    np.testing.assert_array_equal(unit([ops.zeros(2)])[0], [0.0, 0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_stays_visible(bad):
    vector = [ops.ones(2), ops.convert_to_tensor([1.0, bad])]
    assert not bool(vectors.all_finite(vector))
    assert bool(vectors.all_finite(vector[:1]))
    assert not np.isfinite(vectors.unit(vector)[1]).all()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
