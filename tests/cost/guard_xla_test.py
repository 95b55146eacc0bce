"""What tracing and compiling a step may cost; nothing is timed.

The networks are small ones of the same layers as those of the benchmarks, as
large ones compile for minutes.
"""

import sys

import pytest

from tests.support import testing  # isort: skip


import keras_sam
from keras_sam._evaluation.tensorflow.evaluator import Evaluator
from tests.support import processes
from tests.support import small_networks

ALIGNMENT = 64  # Of the buffers of XLA, in bytes.


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """What `compilations.py` says."""
    folder = tmp_path_factory.mktemp("xla")
    process = processes.start("-m", "tests.support.compilations", str(folder))
    (found,) = processes.results([process])
    return found


def test_a_step_compiles_once(compiled):
    for name, ((step, _), _) in compiled["compiles"].items():
        assert step == [1, 0, 0], name


def test_evaluations_are_one_program(compiled):
    for name, (_, (evaluations, _)) in compiled["compiles"].items():
        assert evaluations == [1, 0, 0], name


def test_shapes_are_static(compiled):
    """But for those of TensorFlow's sort, which slices need."""
    for name, programs in compiled["compiles"].items():
        for _, dynamic in programs:
            if name not in ("embedding", "transformer"):
                assert not dynamic, name


def test_programs_ask_nothing_of_the_host(compiled):
    for name, found in compiled["programs"].items():
        for _, asked in (*found["last"], found["mean"]):
            assert not asked, name


def test_memory_of_more_steps(compiled):
    """The second step keeps where the first has led, a copy of the weights.

    From there on it does not grow.
    """
    for name, found in compiled["programs"].items():
        one, two, three = (memory for memory, _ in found["last"])
        weights = copy(found["weights"])
        assert two - one <= weights, name
        # TensorFlow 2.18 packs buffers with gaps, of less than half a copy.
        assert three - two <= weights / 2, name


def test_memory_of_the_mean(compiled):
    """Of 3 steps. XLA adds up gradients at the end, so it keeps them all."""
    for name, found in compiled["programs"].items():
        (last, _), (mean, _) = found["last"][-1], found["mean"]
        assert mean - last <= 2 * copy(found["weights"]), name


def copy(weights):
    """Returns the bytes that a copy of some weights takes."""
    return sum(size + ALIGNMENT for _, size in weights)


@pytest.mark.parametrize("name", small_networks.NETWORKS)
def test_traces(monkeypatch, name):
    network = small_networks.NETWORKS[name]
    plain, ours = (
        wrap(network.build())
        for wrap in (
            lambda net: net,
            lambda net: keras_sam.SAM(net, ascent_steps=2),
        )
    )
    evaluations = spied(monkeypatch, Evaluator, "_evaluate")
    for model in (plain, ours):
        steps = spied(monkeypatch, model, "train_step")
        model.compile("sgd", testing.cross_entropy())
        x, y = network.batch()
        model.fit(x, y, batch_size=len(x) // 2, epochs=2, verbose=0)
        assert len(steps) == 1
    assert len(evaluations) == 1


def spied(monkeypatch, owner, name):
    """Returns a list that grows with each call of a method."""
    calls, method = [], getattr(owner, name)

    def spy(*args, **kwargs):
        calls.append(name)
        return method(*args, **kwargs)

    monkeypatch.setattr(owner, name, spy)
    return calls


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
