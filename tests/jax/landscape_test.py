"""The functions of `landscape` on 8 devices, compared with one device."""

import sys
import warnings

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

import numpy as np

from keras_sam import directions
from keras_sam import landscape
from tests.jax import meshes
from tests.support import testing

# Sums in another order.
RTOL = 1e-5
FUNCTIONS = {
    "loss": lambda at: [at.loss(at.params)],
    "sharpness": lambda at: [
        landscape.sharpness(at, rho=0.1, ascent_steps=2).loss
    ],
    "average sharpness": lambda at: [
        landscape.average_sharpness(at, 0.1, draws=2).value
    ],
    "path": lambda at: list(landscape.path(at, rho=0.1).mean().values()),
    "top eigenvalue": lambda at: landscape.eigenvalues(at, 1).values,
    "trace": lambda at: [landscape.trace(at, draws=2).value],
    "line": lambda at: landscape.line(at, coordinates=[-1, 0, 1]).losses,
    "climbs": lambda at: landscape.climbs(at, (0.1, 0.2)).losses,
    "ascent plane": lambda at: landscape.ascent_plane(at, 0.1).path_losses,
    "density": lambda at: (
        landscape.spectral_density(at, draws=1, iterations=2).nodes
    ),
    "squares": lambda at: [
        float(np.sum(square)) for square in at.squared_gradients(at.params, 3)
    ],
}


@pytest.fixture(scope="module")
def landscapes():
    """The landscape on one device and on 8, the last batch of 4 examples."""
    found = []
    for distribution in (None, meshes.devices(8)):
        with meshes.scope(distribution):
            sam = meshes.wrapped(testing.full_net)
            sam.train_on_batch(*testing.data(8))
            if found:  # The steps of devices differ by rounding.
                sam.set_weights(found[0][1].model.get_weights())
            at = landscape.Landscape(sam, *testing.data(20), batch_size=16)
            found.append((distribution, at))
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_eight_devices_measure_as_one(function, landscapes):
    results = []
    for distribution, at in landscapes:
        with meshes.scope(distribution):
            results.append(np.hstack(FUNCTIONS[function](at)))
    np.testing.assert_allclose(*results, rtol=RTOL, atol=1e-6)


def test_no_warning():
    sam = meshes.wrapped(testing.full_net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        at = landscape.Landscape(sam, *testing.data(8), training=True)
        landscape.sharpness(at, ascent_steps=1, direction=directions.Random())


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
