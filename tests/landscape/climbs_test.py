"""Climbs of several radii, against the oracle's climb and single paths."""

import sys

import keras
import numpy as np
import pytest

from keras_sam import SAM
from keras_sam import directions
from keras_sam import landscape
from keras_sam import samples
from keras_sam import starts
from tests.support import oracle
from tests.support import surfaces
from tests.support import testing

SIZES = (5, 5, 3)
RHOS = (0.05, 0.5, 1.0)


@pytest.fixture
def float64():
    with testing.float64():
        yield


@pytest.mark.parametrize(
    ("n", "radius", "direction", "step"),
    [
        (1, "split", directions.Normalized(), oracle.sam),
        (3, "split", directions.Normalized(), oracle.sam),
        (2, "projected", directions.Unnormalized(), oracle.usam),
        (2, "full", directions.Adaptive(), oracle.asam),
    ],
)
@pytest.mark.usefixtures("float64")
def test_climbs_are_those_of_the_oracle(n, radius, direction, step):
    w = surfaces.weights()
    result = landscape.climbs(
        surfaces.net(batch_size=5),
        RHOS,
        ascent_steps=n,
        radius=radius,
        direction=direction,
    )
    np.testing.assert_array_equal(result.rhos, RHOS)
    np.testing.assert_array_equal(result.sizes, SIZES)
    for b, (x, y) in enumerate(surfaces.parts(5)):
        loss = oracle.loss(w, x, y)
        np.testing.assert_allclose(result.losses[b], loss, rtol=1e-12)
        for r, rho in enumerate(RHOS):
            points, g = oracle.climb(w, x, y, step, radius, rho, n)
            away = [end - start for start, end in zip(w, points[-1])]
            expected = {
                "rises": oracle.loss(points[-1], x, y) - loss,
                "predictions": surfaces.dot(g[0], away),
                "cosines": surfaces.cosine(g[0], g[-1]),
                "distances": oracle.length(away),
            }
            for name, value in expected.items():
                np.testing.assert_allclose(
                    getattr(result, name)[b, r], value, rtol=1e-9, err_msg=name
                )


@pytest.mark.usefixtures("float64")
def test_means_are_weighted_by_size():
    """The share is the ratio of two means, not the mean of ratios."""
    result = landscape.climbs(surfaces.net(batch_size=5), RHOS)
    mean = result.mean()

    def average(values):
        return np.average(values, axis=0, weights=SIZES)

    rise, loss = average(result.rises), average(result.losses)
    expected = {
        "rise": rise,
        "relative_rise": rise / loss,
        "linear_share": rise / average(result.predictions),
        "cosine": average(result.cosines),
        "distance": np.array(RHOS),
    }
    assert mean.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(mean[name], values, 1e-12, err_msg=name)


@pytest.mark.usefixtures("float64")
def test_a_bowl():
    """L = |w|^2 / 2 at (1, 0): it rises by rho + rho^2 / 2; g keeps its way."""
    net = surfaces.quadratic(np.eye(2), [1.0, 0.0], np.zeros((3, 2)))
    mean = landscape.climbs(net, RHOS).mean()
    rhos = np.array(RHOS)
    np.testing.assert_allclose(mean["rise"], rhos + rhos**2 / 2)
    np.testing.assert_allclose(mean["linear_share"], 1 + rhos / 2)
    np.testing.assert_allclose(mean["relative_rise"], 2 * rhos + rhos**2)
    np.testing.assert_allclose(mean["cosine"], 1.0)


@pytest.mark.usefixtures("float64")
def test_one_radius_is_the_path_of_this_radius():
    at = surfaces.net(batch_size=5)
    climb = {"ascent_steps": 2, "perturb": "kernel"}
    result = landscape.climbs(at, RHOS, **climb)
    for r, rho in enumerate(RHOS):
        path = landscape.path(at, rho, **climb)
        for values, expected in (
            (result.losses + result.rises[:, r], path.losses[:, -1]),
            (result.cosines[:, r], path.cosines_to_first[:, -1]),
            (result.distances[:, r], path.distance),
        ):
            np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.usefixtures("float64")
def test_a_wrapped_model_has_its_own_climb():
    """Arguments that are given take the place of the model's."""
    given = {
        "ascent_steps": 2,
        "radius": "full",
        "direction": directions.Adaptive(),
        "perturb": "kernel",
    }

    def wrapped(**arguments):
        sam = SAM(testing.dense_net(), **arguments)
        sam.compile("sgd", testing.cross_entropy())
        sam.set_weights(surfaces.weights())
        return landscape.Landscape(sam, *surfaces.data())

    own = landscape.climbs(wrapped(**given), RHOS)
    assert (own.ascent_steps, own.radius) == (2, "full")
    same = landscape.climbs(surfaces.net(), RHOS, **given)
    np.testing.assert_array_equal(own.rises, same.rises)
    default = {"perturb": None, "direction": directions.Normalized()}
    changed = landscape.climbs(wrapped(**given), RHOS, **default)
    same = landscape.climbs(surfaces.net(), RHOS, ascent_steps=2, radius="full")
    np.testing.assert_array_equal(changed.rises, same.rises)
    assert np.all(changed.rises != own.rises)


def trained(measures):
    """Returns the state after two epochs, perhaps measured in between."""
    keras.utils.set_random_seed(0)
    sam = SAM(testing.full_net(), rho=0.1)
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9), testing.cross_entropy()
    )
    x, y = testing.data()
    sam.fit(x, y, batch_size=8, verbose=0)
    before = surfaces.snapshot(sam)
    if measures:
        at = landscape.Landscape(sam, x, y, batch_size=8, training=True)
        landscape.climbs(at, RHOS)
        for a, b in zip(before, surfaces.snapshot(sam), strict=True):
            np.testing.assert_array_equal(a, b)
    sam.fit(x, y, batch_size=8, verbose=0)
    return surfaces.snapshot(sam)


def test_the_model_trains_on_as_if_nothing_was_measured():
    """To the bit: weights, optimizer, statistics and seeds of dropout."""
    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("float64")
def test_a_radius_that_breaks_the_loss_leaves_the_others():
    def loss(y, y_pred):
        return keras.ops.where(y_pred > 10.0, np.nan, y_pred)

    net = surfaces.quadratic(
        np.eye(2), [1.0, 0.0], np.zeros((3, 2)), loss, batch_size=2
    )
    result = landscape.climbs(net, (0.5, 100.0))
    for name in ("rises", "predictions", "cosines", "distances"):
        known = np.isfinite(getattr(result, name))
        np.testing.assert_array_equal(known, [[True, False]] * 2)
    assert "nan" in str(result)
    assert landscape.plot(result).axes


@pytest.mark.usefixtures("float64")
def test_zero_gradients_have_no_share():
    net = surfaces.quadratic(np.eye(2), [0.0, 0.0], np.zeros((3, 2)))
    mean = landscape.climbs(net, RHOS).mean()
    for name in ("rise", "cosine", "distance"):
        np.testing.assert_array_equal(mean[name], 0.0)
    for name in ("linear_share", "relative_rise"):
        assert np.isnan(mean[name]).all()


@pytest.mark.usefixtures("float64")
def test_the_table_and_the_repr():
    net = surfaces.quadratic(np.eye(2), [1.0, 0.0], np.zeros((3, 2)))
    result = landscape.climbs(net, (0.5, 1.0))
    assert str(result).splitlines() == [
        "rho   rise  relative rise  linear share  cosine  distance",
        "0.5  0.625           1.25          1.25       1       0.5",
        "1      1.5              3           1.5       1         1",
    ]
    assert repr(result) == (
        "Climbs(rhos=[0.5, 1], rise=[0.625, 1.5], cosine=[1, 1], "
        "ascent_steps=1, radius='split', complete)"
    )


@pytest.mark.usefixtures("float64")
def test_interrupted_climbs_are_those_of_the_batches_so_far():
    net = surfaces.net(batch_size=5)
    whole = landscape.climbs(net, RHOS)
    result = landscape.climbs(net, RHOS, progress=lambda done, _: done == 2)
    assert whole.complete and not result.complete
    for name in ("losses", "rises", "cosines", "sizes"):
        np.testing.assert_array_equal(
            getattr(result, name), getattr(whole, name)[:2]
        )


@pytest.mark.parametrize(
    ("rhos", "climb", "error", "match"),
    [
        (0.05, {}, TypeError, r"`rhos` must be a list.*such as \(0.05"),
        ("0.05", {}, TypeError, "`rhos` must be a list"),
        ([], {}, ValueError, "one radius or more"),
        ([0.1, 0.1], {}, ValueError, "each larger than the one before"),
        ([0.0, 0.1], {}, ValueError, "`rho` must be"),
        (RHOS, {"ascent_steps": 0}, ValueError, "`ascent_steps`"),
        (RHOS, {"radius": "long"}, ValueError, "`radius`"),
        (RHOS, {"rho": 0.1}, TypeError, "radii are in `rhos`"),
        (RHOS, {"perturb": "nothing"}, ValueError, "`perturb`"),
    ],
)
def test_wrong_arguments(rhos, climb, error, match):
    with pytest.raises(error, match=f"(?s){match}.*Received"):
        landscape.climbs(surfaces.net(), rhos, **climb)


@pytest.mark.parametrize(
    "arguments",
    [
        {"start": starts.Random(), "rho": 0.1},
        {"ascent_samples": samples.Drawn(0.5)},
        {"num_batch_splits": 2},
    ],
)
def test_climbs_that_are_not_from_the_weights_on_the_batch(arguments):
    sam = SAM(testing.dense_net(), **arguments)
    sam.compile("sgd", testing.cross_entropy())
    at = landscape.Landscape(sam, *testing.data(13))
    (name, *_) = arguments
    with pytest.raises(ValueError, match=f"whole batches.*Received.*{name}"):
        landscape.climbs(at, RHOS)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
