"""A file that one backend has written, on the other backend.

The tests run on TensorFlow and on JAX, so they cover both ways.
"""

import json
import sys

import numpy as np
import pytest

from tests.support import engine
from tests.support import handed_draws
from tests.support import processes
from tests.support import testing
from tests.training import other_backend_program as program

# The backends round sums and functions differently. After three steps numbers
# near 1 differed by up to 6e-8, and by 2e-16 in float64.
ROUNDING = {"float32": 3e-7, "float64": 1e-15}
# Of memories, which add up squares: after six steps up to 7e-15.
ROUNDING_OF_MEMORY = 1e-13


def arrays(path):
    with np.load(path) as found:
        return [found[f"arr_{i}"] for i in range(len(found.files))]


def on_the_other_backend(net, precision, paths):
    """Lets the other backend go on from files, and write beside them."""
    process = processes.start(
        *("-m", "tests.training.other_backend_program"),
        json.dumps([net, precision, paths]),
        KERAS_BACKEND=engine.OTHER,
        JAX_PLATFORMS="cpu",
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output


@testing.BOTH
@pytest.mark.parametrize(
    "ending, net, precision",
    [
        (".keras", "normalized", "float64"),
        (".weights.h5", "normalized", "float32"),
        (".keras", "dropout", "float32"),
    ],
)
def test_file_goes_on_training(ending, net, precision, tmp_path):
    path = str(tmp_path / f"sam{ending}")
    with program.PRECISIONS[precision]():
        sam = program.made(net)
        program.train(sam, 0)
        sam.rho = 0.25
        sam.save(path) if ending == ".keras" else sam.save_weights(path)
        saved = program.values(sam)
    on_the_other_backend(net, precision, [path])
    for here, there in zip(saved, arrays(f"{path}-first.npz")):
        # TensorFlow has seeds as int64, JAX as uint32.
        assert here.dtype == there.dtype or here.dtype.kind in "iu"
        np.testing.assert_array_equal(there, here)
    _, expected = program.go_on(path, net, precision)
    last = arrays(f"{path}-last.npz")
    assert len(last) == len(expected) == len(saved)
    changed = [not np.array_equal(a, b) for a, b in zip(saved, last)]
    assert sum(changed) > len(saved) / 2
    if net == "dropout":  # Other draws.
        return
    for here, there in zip(expected, last):
        np.testing.assert_allclose(
            there, here, rtol=0, atol=ROUNDING[precision]
        )


@testing.BOTH
def test_parts_that_remember_go_on(tmp_path):
    """Each goes on as it would have done without the switch of backends."""
    net, precision, expected = "normalized", "float64", {}
    with program.PRECISIONS[precision](), handed_draws.handed_over():
        for name in testing.STATEFUL:
            sam = program.made(net, name)
            program.train(sam, 0)
            path = str(tmp_path / f"{name}.keras")
            sam.save(path)
            program.train(sam, 1)
            expected[path] = program.values(sam)
    on_the_other_backend(net, precision, list(expected))
    for path, values in expected.items():
        last = arrays(f"{path}-last.npz")
        assert len(last) == len(values)
        for here, there in zip(values, last):
            np.testing.assert_allclose(
                there, here, rtol=0, atol=ROUNDING_OF_MEMORY, err_msg=path
            )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
