"""Every recipe and every landscape has the same numbers on both backends.

`program.py` trains and measures, in one process on TensorFlow and in one on
JAX. Here all their arrays are compared, and the largest difference is printed.
"""

import functools
import pathlib
import sys
import tempfile

import numpy as np
import pytest

from keras_sam import landscape
from tests.both_backends import landscapes
from tests.both_backends import trainings
from tests.contracts import methods_test
from tests.support import engine
from tests.support import processes
from tests.support import testing

if not engine.JAX:
    pytest.skip("takes minutes: `make test-jax`", allow_module_level=True)

BACKENDS = ("tensorflow", "jax")

pytestmark = testing.BOTH

# The backends round sums and functions differently. Numbers may differ by this
# share of the largest one in their array, or of 1 if all are smaller.
ROUNDING = {"float64": 1e-12, "float32": 1e-6}
# Products with the Hessian, where moving statistics normalize: in float32
# TensorFlow is up to 3e-6 from its own float64, JAX 4e-7.
CURVATURE = ("Landscape", "eigenvalues", "spectral_density", "trace")
ROUNDING_OF_CURVATURE = 2e-5
# Keras computes schedules in float32.
SCHEDULED = methods_test.TOLERANCES
SECONDS = 900  # A machine with other work is slow.


@functools.cache
def measured(group, precision):
    """Returns {name: array} on TensorFlow, and on JAX."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, f"{name}.npz") for name in BACKENDS]
        started = [
            processes.start(
                *("-m", "tests.both_backends.program"),
                *(group, precision, str(path)),
                KERAS_BACKEND=backend,
                JAX_PLATFORMS="cpu",
                CUDA_VISIBLE_DEVICES="",
            )
            for backend, path in zip(BACKENDS, paths)
        ]
        for status, output in processes.finish(started, SECONDS):
            assert status == 0, output
        found = [dict(np.load(path)) for path in paths]
    assert [str(arrays.pop("backend")) for arrays in found] == [*BACKENDS]
    return found


def compare(group, name, precision="float64", rounding=None):
    """Compares all arrays whose names begin with a name."""
    rounding = rounding or ROUNDING[precision]
    first, second = (
        {k: v for k, v in arrays.items() if k.startswith(f"{name}: ")}
        for arrays in measured(group, precision)
    )
    assert first and first.keys() == second.keys()
    largest = max(
        (compared(first[k], second[k], rounding, k), k) for k in first
    )
    print("largest difference:", *largest)


def compared(one, two, rounding, name):
    """Returns the difference of two arrays, once it is small enough."""
    # TensorFlow has int64 where JAX has int32.
    assert one.dtype == two.dtype or one.dtype.kind == two.dtype.kind == "i"
    if one.dtype.kind in "Ub":
        np.testing.assert_array_equal(two, one, err_msg=name)
        return 0.0
    scale = max(1.0, np.max(np.abs(one[np.isfinite(one)]), initial=0.0))
    np.testing.assert_allclose(
        two, one, rtol=0, atol=rounding * scale, err_msg=name
    )
    finite = np.isfinite(one)
    return np.max(np.abs(one - two)[finite], initial=0.0) / scale


@pytest.mark.parametrize(
    "name",
    [
        *trainings.RECIPES,
        *(pytest.param(v, marks=testing.ALSO) for v in trainings.VARIANTS),
    ],
)
def test_training(name):
    recipe = name in trainings.RECIPES
    compare(
        "recipes" if recipe else "variants",
        name,
        rounding=SCHEDULED.get(name),
    )


def test_evaluation():
    compare("recipes", "evaluation")


@pytest.mark.parametrize("precision", ROUNDING)
@pytest.mark.parametrize("name", landscapes.NAMES)
def test_landscape(name, precision):
    curved = precision == "float32" and name.startswith(CURVATURE)
    compare(
        "landscapes",
        name,
        precision,
        ROUNDING_OF_CURVATURE if curved else None,
    )


def test_all_functions_are_compared():
    public = {
        name
        for name in landscape.__all__
        if not isinstance(getattr(landscape, name), type)
    }
    # A plot only draws what the others return.
    assert public - {"plot"} <= set(landscapes.FUNCTIONS)


def test_all_recipes_and_cases_are_compared():
    assert {*trainings.RECIPES, *trainings.VARIANTS} == set(methods_test.CASES)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
