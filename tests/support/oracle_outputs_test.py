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


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
