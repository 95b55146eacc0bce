"""An error that ends one of two processes ends the other one soon."""

import sys
import time

import pytest

from tests.support import engine  # isort: skip

if not engine.JAX:
    pytest.skip("for the JAX backend", allow_module_level=True)

from tests.support import processes
from tests.support import testing

SECONDS = 420  # The limit of a test; a machine with other work is slow.
SOON = 40  # JAX's own limits are 100 and 300.
WHY = "ValueError: no such file: a.csv"


def ended(who, where):
    """Fails in a process; returns (seconds, what both end with, the other).

    The seconds are from the error to the end of both processes. What they end
    with is a list of (exit status, output), the failed one first.
    """
    (port,) = processes.free_ports(1)
    first, second = processes.finish(
        [
            processes.start(
                *("-m", "tests.jax.failing", str(port), str(index)),
                *(str(who), where),
                KERAS_BACKEND="jax",
                JAX_NUM_CPU_DEVICES="1",
            )
            for index in range(2)
        ],
        SECONDS,
    )
    end = time.time()
    failed, other = (first, second) if who == 0 else (second, first)
    (when,) = [x for x in failed[1].splitlines() if x.startswith("FAILS ")]
    return end - float(when.split()[1]), failed, other


@pytest.mark.parametrize(
    "who, where",
    [
        (1, "before"),
        (1, "data"),
        (0, "callback"),
        pytest.param(0, "before", marks=testing.ALSO),
    ],
)
def test_an_error_ends_both(who, where):
    seconds, failed, other = ended(who, where)
    assert failed[0] == 1 and WHY in failed[1], failed[1]
    assert other[0] == 1, other[1]
    assert f"process {who} has failed: {WHY}" in other[1], other[1]
    assert seconds < SOON


def test_the_others_do_not_wait_for_one_that_has_left():
    seconds, failed, other = ended(1, "leaves")
    assert failed[0] == 3, failed[1]
    assert other[0] == 1, other[1]
    assert "process 1 has ended" in other[1], other[1]
    assert seconds < SOON


def test_a_process_that_is_killed_ends_the_other():
    seconds, _, other = ended(1, "dies")
    assert other[0] == 1, other[1]
    assert seconds < SOON


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
