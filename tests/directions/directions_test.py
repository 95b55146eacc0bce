"""Directions: formulas, invariances, edge values, config."""

import sys
import types

import keras
import numpy as np
import pytest
from keras import ops

from keras_sam import directions
from tests.support import engine
from tests.support import oracle


@pytest.fixture(autouse=True)
def float64():
    """The arrays of the oracle are of float64, and JAX must keep them so."""
    with engine.float64():
        yield


def fisher(g, w):
    """arXiv:2206.04920: F^-1 g / sqrt(g F^-1 g) with F = 1 + eta g^2."""
    scaled = [a / (1 + 0.5 * a**2) for a in g]
    return [
        b / np.sqrt(sum(np.sum(a * b) for a, b in zip(g, scaled)))
        for b in scaled
    ]


def matching(g, w):
    """SAGM, arXiv:2303.10353: (1 / ||g|| - alpha / rho) g."""
    return [(1 / oracle.length(g) - 0.1) * a for a in g]


def zscored(g, w):
    """arXiv:2505.02369: the entries of a kernel that stand out, normalized."""
    z = np.abs(g[0] - g[0].mean()) / g[0].std()
    kept = np.where(z > np.quantile(z, 0.5), g[0], 0.0)
    return [kept / np.linalg.norm(kept), *(a / oracle.length(g) for a in g[1:])]


ALL = {
    directions.Normalized(): oracle.sam,
    directions.Unnormalized(): oracle.usam,
    directions.Adaptive(): oracle.asam,
    directions.Adaptive(eta=0.5): lambda g, w: oracle.asam(g, w, eta=0.5),
    directions.Layerwise(): oracle.layerwise,
    directions.Fisher(eta=0.5): fisher,
    directions.Matching(ratio=0.1): matching,
    directions.ZScored(quantile=0.5): zscored,
}
# The length of their steps is another where the gradient is longer.
OF_ITS_LENGTH = (
    directions.Unnormalized,
    directions.Fisher,
    directions.Matching,
)


def vectors(seed=0, dtype="float64"):
    """Returns (arrays, tensors) of a gradient and of a point."""
    random = np.random.RandomState(seed)
    shapes = ((3, 2), (4,), ())
    g, w = ([random.normal(size=s) for s in shapes] for _ in range(2))
    return (g, w), [
        [ops.convert_to_tensor(a, dtype) for a in vector] for vector in (g, w)
    ]


def assert_equal(actual, expected, rtol=1e-12):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol)


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_formula(direction):
    arrays, tensors = vectors()
    assert_equal(direction(*tensors), ALL[direction](*arrays))


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_points_up(direction):
    (g, _), tensors = vectors(seed=3)
    inner = sum(
        np.sum(a * np.asarray(b))
        for a, b in zip(g, direction(*tensors), strict=True)
    )
    assert inner > 0


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_zero_gradient_gives_no_step(direction):
    _, (g, w) = vectors()
    for step in direction([0 * a for a in g], w):
        np.testing.assert_array_equal(step, np.zeros(step.shape))


@pytest.mark.parametrize("direction", ALL, ids=str)
def test_a_gradient_that_is_not_a_number_stays_visible(direction):
    _, (g, w) = vectors()
    g[0] = g[0] * np.nan
    assert np.isnan(direction(g, w)[0]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("direction", ALL, ids=str)
def test_dtypes_and_shapes_are_kept(direction, dtype):
    _, (g, w) = vectors(dtype=dtype)
    for step, param in zip(direction(g, w), w, strict=True):
        assert step.dtype == param.dtype
        assert step.shape == param.shape


@pytest.mark.parametrize(
    "direction",
    [d for d in ALL if not isinstance(d, OF_ITS_LENGTH)],
    ids=str,
)
def test_scale_of_the_gradient_does_not_matter(direction):
    _, (g, w) = vectors()
    assert_equal(direction([8.0 * a for a in g], w), direction(g, w))


def test_length_of_a_step():
    _, (g, w) = vectors()
    assert oracle.length(directions.Normalized()(g, w)) == pytest.approx(1.0)
    eta = 0.1
    metric = [
        np.asarray(step) / (np.abs(a) + eta)
        for step, a in zip(directions.Adaptive(eta)(g, w), w, strict=True)
    ]
    assert oracle.length(metric) == pytest.approx(1.0)
    for step, a in zip(directions.Layerwise()(g, w), w, strict=True):
        assert oracle.length([step]) == pytest.approx(oracle.length([a]))


def test_adaptive_follows_a_rescaling_of_layers():
    """With eta = 0: weights times a, gradients over a, steps times a."""
    _, (g, w) = vectors()
    factors = (4.0, 0.25, 2.0)
    step = directions.Adaptive(eta=0.0)
    rescaled = step(
        [a / f for a, f in zip(g, factors, strict=True)],
        [a * f for a, f in zip(w, factors, strict=True)],
    )
    expected = [a * f for a, f in zip(step(g, w), factors, strict=True)]
    assert_equal(rescaled, expected)


@pytest.mark.parametrize(
    ("scales", "same"),
    [(True, directions.Adaptive(0.1)), (False, directions.Normalized())],
)
def test_adaptive_scales_what_it_is_told(scales, same):
    _, (g, w) = vectors()
    asked = []
    context = types.SimpleNamespace(
        which=lambda choice: asked.append(choice) or [scales] * 3
    )
    step = directions.Adaptive(0.1, scaled="kernel")(g, w, context=context)
    for a, b in zip(step, same(g, w), strict=True):
        np.testing.assert_array_equal(a, b)
    assert asked == ["kernel"]


def test_matching_without_ratio_is_normalized():
    _, (g, w) = vectors()
    for a, b in zip(
        directions.Matching(0.0)(g, w), directions.Normalized()(g, w)
    ):
        np.testing.assert_array_equal(a, b)


def loss_equated(g, w, rho, rho_max):
    context = types.SimpleNamespace(rho=rho)
    return directions.LossEquated(rho_max)(g, w, context=context)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_loss_equated(dtype):
    _, (g, w) = vectors(seed=1, dtype=dtype)
    length = oracle.length([np.asarray(a, "float64") for a in g])
    tolerance = {"float64": 1e-12}.get(dtype, 2e-2)
    for rho_max, radius in ((0.3 / length, 0.1 / length), (0.02, 0.02)):
        step = loss_equated(g, w, 0.1, rho_max)
        assert {s.dtype for s in step} == {w[0].dtype}
        found = 0.1 * oracle.length([np.asarray(s, "float64") for s in step])
        assert found == pytest.approx(radius, rel=tolerance)


def test_loss_equated_at_the_edges():
    """No gradient, no rise, and NaN."""
    _, (g, w) = vectors()
    zero = [0 * a for a in g]
    assert oracle.length(loss_equated(zero, w, 0.1, 0.5)) == 0
    assert oracle.length(loss_equated(g, w, 0.0, 0.5)) == 0
    fallen = keras.optimizers.schedules.PolynomialDecay(0.1, 2, 0.0)(2)
    assert oracle.length(loss_equated(g, w, fallen, 0.5)) == 0
    bad = [g[0] * np.nan, *g[1:]]
    assert np.isnan(loss_equated(bad, w, 0.1, 0.5)[0]).all()


def test_zscored_moves_a_kernel_without_outlying_entries():
    """Equal entries: none is above the quantile."""
    _, (g, w) = vectors()
    g[0] = ops.full((3, 2), 0.5, "float64")
    assert_equal(directions.ZScored()(g, w), directions.Normalized()(g, w))
    g[0] = 0 * g[0]
    np.testing.assert_array_equal(
        directions.ZScored()(g, w)[0], np.zeros((3, 2))
    )


@pytest.mark.parametrize("size", [2, 5, 21, 100])
@pytest.mark.parametrize("quantile", [0.0, 0.3, 0.95])
def test_zscored_keeps_what_is_above_the_quantile(size, quantile):
    g = np.random.RandomState(size).normal(size=(size, 3))
    (step,) = directions.ZScored(quantile)([ops.convert_to_tensor(g)], [g])
    away = np.abs(g - g.mean())
    expected = away > np.quantile(away, quantile)
    np.testing.assert_array_equal(np.asarray(step) != 0, expected)


def masks(direction, climbs=12):
    """Returns the mask of each climb, for random gradients."""
    random = np.random.RandomState(4)
    w = [ops.convert_to_tensor(random.normal(size=(9,)))]
    memory, found = direction.init(w), []
    scores = [
        [ops.convert_to_tensor(random.uniform(size=(9,)))]
        for _ in range(climbs)
    ]
    context = types.SimpleNamespace(ascent_step=0)
    context.when = lambda due, function, otherwise: (
        function(context) if bool(due) else otherwise
    )
    for squares in scores:
        context.squared_gradients = lambda params, examples, f=squares: f
        _, memory = direction(w, w, memory, context=context)
        found.append(np.asarray(memory["mask"][0]))
    return found, np.array([s[0] for s in scores])


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_a_mask_holds_for_its_epochs(batches):
    """Two epochs of two steps; the examples of some steps decide on a mask."""
    direction = directions.Sparse(
        directions.FisherMask(5, batches), 0.5, period=2, steps_per_epoch=2
    )
    found, scores = masks(direction)
    for step, mask in enumerate(found):
        begin = (step - batches) // 4 * 4
        expected = np.ones(9)
        if begin >= 0:
            total = scores[begin : begin + batches].sum(axis=0)
            expected = total >= np.sort(total)[-4]
        np.testing.assert_array_equal(mask, expected, err_msg=f"step {step}")
    plain = directions.Sparse(directions.FisherMask(5, batches), 0.5, period=4)
    np.testing.assert_array_equal(found, masks(plain)[0])


def test_layerwise_leaves_zero_weights_alone():
    _, (g, w) = vectors()
    w[1] = 0 * w[1]
    np.testing.assert_array_equal(directions.Layerwise()(g, w)[1], np.zeros(4))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
