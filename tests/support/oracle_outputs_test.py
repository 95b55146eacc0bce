"""The oracle has known properties of the methods that look at outputs."""

import sys

import numpy as np
import pytest

from tests.support import oracle
from tests.support import oracle_methods as methods
from tests.support import oracle_outputs as of_outputs
from tests.support import oracle_testing as testing

LR, RHO = testing.LR, testing.RHO


def test_the_chain_rule_is_the_gradient():
    w, [(x, y)] = testing.problem(1)
    c = of_outputs.slopes(of_outputs.outputs(w, x)[1], y)
    pulled = of_outputs.pulled_back(w, x, c)
    testing.same([pulled], [oracle.gradient(w, x, y)])


def test_functional_sam_is_sgd_without_a_radius():
    w, batches = testing.problem()
    sgd = methods.sgd(w, batches, LR)
    testing.same(of_outputs.functional_sam(w, batches, LR, 0.0), sgd)


def test_functional_sam_is_a_gradient_of_outputs():
    """Of <c, outputs> at w + e, with c and e held."""
    w, [(x, y)] = testing.problem(1)
    batch, vector = methods.Batch(x, y, w), methods.flat(w)
    c = of_outputs.slopes(of_outputs.outputs(w, x)[1], y)
    e = RHO * methods.unit(batch.gradient(vector))
    d = testing.descent(of_outputs.functional_sam, w, (x, y), RHO)

    def objective(v):
        return np.sum(c * of_outputs.outputs(batch.arrays(v + e), x)[1])

    for v in np.random.RandomState(2).normal(size=(3, d.size)):
        rise = objective(vector + 1e-5 * v) - objective(vector - 1e-5 * v)
        assert d @ v == pytest.approx(rise / 2e-5, abs=1e-8)
    sam = testing.descent(methods.sam, w, (x, y), RHO)
    assert methods.norm(d - sam) > 1e-3


@pytest.mark.parametrize("alpha", [None, 0.7])
def test_bisam_climbs_most_on_its_bound(monkeypatch, alpha):
    visited = testing.record(monkeypatch)
    w, [(x, y)] = testing.problem(1)
    batch = methods.Batch(x, y, w)
    of_outputs.bisam(w, [(x, y)], LR, 1e-4, 2.0, alpha)
    e = visited[0] - methods.flat(w)
    assert methods.norm(e) == pytest.approx(1e-4)

    def bound(move):
        arrays = batch.arrays(methods.flat(w) + move)
        return of_outputs.lower_bound(
            of_outputs.outputs(arrays, x)[1], y, 2.0, alpha
        )

    for other in np.random.RandomState(2).normal(size=(20, e.size)):
        assert bound(1e-4 * methods.unit(other)) < bound(e)
    sideways = np.random.RandomState(3).normal(size=e.size)
    sideways -= (sideways @ methods.unit(e)) * methods.unit(e)
    sideways *= 1e-4 / methods.norm(sideways)
    # The bound does not change to first order.
    assert abs(bound(sideways) - bound(-sideways)) < 1e-3 * bound(e) * 1e-4


@pytest.mark.parametrize("alpha", [None, 3.0])
def test_the_bound_is_below_the_errors(alpha):
    """For a large mu: log of a sum is then the largest."""
    random = np.random.RandomState(0)
    logits, y = random.normal(size=(200, 3)), random.randint(0, 3, 200)
    errors = np.mean(logits.argmax(axis=1) != y)
    largest = of_outputs.heights(logits, y, alpha)[0].max(axis=1)
    assert np.all(largest <= (logits.argmax(axis=1) != y) + 1e-12)
    bound = of_outputs.lower_bound(logits, y, 50.0, alpha)
    assert np.mean(largest) <= bound <= errors + np.log(3) / 50


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
