"""Results say their main numbers in one line."""

import sys

import numpy as np
import pytest

from keras_sam import landscape
from tests.support import surfaces
from tests.support import testing

HESSIAN = np.diag([4.0, 1.0])
W = np.array([1.0, 0.0])
SLOPES = np.zeros((3, 2))


@pytest.fixture(autouse=True)
def float64():
    with testing.float64():
        yield


def quadratic():
    return surfaces.quadratic(HESSIAN, W, SLOPES, batch_size=2)


# L = (4 x^2 + y^2) / 2, at w = (1, 0): L = 2, and L(1.5, 0) = 4.5.
EXPECTED = {
    "Sharpness(value=2.5, one_step=2.5, gap=0, loss=2, stuck=0, rho=0.5, "
    "ascent_steps=1, radius='split', complete)": lambda at: landscape.sharpness(
        at, 0.5, ascent_steps=1
    ),
    "Path(losses=[2, 3.125, 4.5], straightness=1, rho=0.5, ascent_steps=2, "
    "radius='split', complete)": lambda at: landscape.path(
        at, 0.5, ascent_steps=2
    ),
    "Line(coordinate=-1 to 0.5, loss=0 to 4.5, length=1, complete)": (
        lambda at: landscape.line(
            at, [np.array([1.0, 0.0])], coordinates=[-1, 0, 0.5]
        )
    ),
    "Line(coordinate=-1 to 0.5, loss=0 to 0, length=1, not complete)": (
        lambda at: landscape.line(
            at,
            [np.array([1.0, 0.0])],
            coordinates=[-1, 0, 0.5],
            progress=lambda done, total: True,
        )
    ),
    "Plane(x=0 to 1, y=0 to 2, loss=2 to 10, complete)": (
        lambda at: landscape.plane(
            at,
            [[np.array([1.0, 0.0])], [np.array([0.0, 1.0])]],
            x=[0, 1],
            y=[0, 2],
        )
    ),
    "Eigenvalues(values=[4, 1], residuals=[": lambda at: landscape.eigenvalues(
        at, 2
    ),
}


@pytest.mark.parametrize("expected", EXPECTED)
def test_a_result_is_one_line(expected):
    text = repr(EXPECTED[expected](quadratic()))
    assert text.startswith(expected)
    assert "\n" not in text and "array(" not in text


def test_the_line_of_a_landscape():
    at = quadratic()
    assert repr(at) == (
        f"Landscape({at.model!r}, 2 weights, 2 batches, training=False)"
    )


def test_all_results_have_it():
    kinds = [
        getattr(landscape, name)
        for name in landscape.__all__
        if hasattr(getattr(landscape, name), "to_dict")
    ]
    assert len(kinds) == 10
    assert all(k.__repr__ is landscape.Trace.__repr__ for k in kinds)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
