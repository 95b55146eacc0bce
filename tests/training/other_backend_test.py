"""A file that one backend has written, on the other backend.

The tests run on TensorFlow and on JAX, so they cover both ways.
"""

import json
import sys

import numpy as np
import pytest

from tests.support import engine
from tests.support import processes
from tests.support import testing
from tests.training import other_backend_program as program

# The backends round sums and functions differently. After three steps numbers
# near 1 differed by up to 6e-8, and by 2e-16 in float64.
ROUNDING = {"float32": 3e-7, "float64": 1e-15}


def arrays(path):
    with np.load(path) as found:
        return [found[f"arr_{i}"] for i in range(len(found.files))]


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
    arguments = [path, net, precision, str(tmp_path / "result")]
    process = processes.start(
        "-m",
        "tests.training.other_backend_program",
        json.dumps(arguments),
        KERAS_BACKEND=engine.OTHER,
    )
    ((status, output),) = processes.finish([process])
    assert status == 0, output
    for here, there in zip(saved, arrays(tmp_path / "result-first.npz")):
        # TensorFlow has seeds as int64, JAX as uint32.
        assert here.dtype == there.dtype or here.dtype.kind in "iu"
        np.testing.assert_array_equal(there, here)
    _, expected = program.go_on(path, net, precision)
    last = arrays(tmp_path / "result-last.npz")
    assert len(last) == len(expected) == len(saved)
    changed = [not np.array_equal(a, b) for a, b in zip(saved, last)]
    assert sum(changed) > len(saved) / 2
    if net == "dropout":  # Other draws.
        return
    for here, there in zip(expected, last):
        np.testing.assert_allclose(
            there, here, rtol=0, atol=ROUNDING[precision]
        )


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
