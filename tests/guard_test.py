"""What a step may cost, read from its graph: nothing is run or timed.

The networks are those of the benchmarks, as large as there. What XLA makes of
them is `guard_xla_test.py`.
"""

import collections
import functools
import sys

import pytest

from tests import testing  # isort: skip

import keras

import keras_sam
from benchmarks import networks
from benchmarks import programs

# The nodes of one more ascent step: so many for each weight, and so many more.
# For a weight they square it, add that up and to the others', multiply twice
# and add to its place, with two constants.
NODES_A_WEIGHT = 8
NODES_A_STEP = 11
# Of a weight's shape in one more step, the gradient itself aside: its square,
# which is summed; the step, of length one and then of its own; the new place.
TENSORS_A_WEIGHT = {"Mul": 3, "AddV2": 1}

CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
PRODUCTS = (
    "BatchMatMulV2",
    "Conv2D",
    "Conv2DBackpropFilter",
    "Conv2DBackpropInput",
    "Einsum",
    "MatMul",
)
LOSS = "SparseSoftmaxCrossEntropyWithLogits"
# They run on the host, or wait for it.
HOST = {
    "Assert",
    "CheckNumerics",
    "CheckNumericsV2",
    "EagerPyFunc",
    "Print",
    "PrintV2",
    "PyFunc",
    "PyFuncStateless",
    "StringFormat",
}


@functools.cache
def traced(name, steps):
    """Returns (graph, weights) of a train step; None for plain Keras's."""
    network = networks.NETWORKS[name]
    model = network.build()
    if steps is not None:
        model = keras_sam.SAM(model, ascent_steps=steps, xla=False)
    model.compile(keras.optimizers.SGD(0.1), testing.cross_entropy())
    graph = programs.traced(model, network.batch())
    return graph, model.trainable_variables


def called(node):
    """Returns the name of the function that a node calls, or None."""
    return node.attr["f"].func.name if node.op in CALLS else None


def executed(graph):
    """Counts the ops of a graph; those of a function once for each call."""
    graph = graph.as_graph_def()
    bodies = {f.signature.name: f.node_def for f in graph.library.function}

    def count(nodes):
        found = collections.Counter(node.op for node in nodes)
        for node in nodes:
            if called(node):
                found += count(bodies[called(node)])
        return found

    return count(graph.node)


def kernels(weights):
    """Counts the weights of two and more axes, by shape."""
    return collections.Counter(
        tuple(w.shape) for w in weights if len(w.shape) > 1
    )


def weight_sized(graph, weights):
    """Counts the outputs of the shapes of kernels, by (shape, op).

    Those of calls aside.
    """
    shapes = kernels(weights)
    return collections.Counter(
        (tuple(output.shape), op.type)
        for op in graph.get_operations()
        if op.type not in CALLS
        for output in op.outputs
        if output.shape.rank and tuple(output.shape) in shapes
    )


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_evaluations(name, steps):
    plain = executed(traced(name, None)[0])
    ours = executed(traced(name, steps)[0])
    assert plain[LOSS] == 1
    for op in (*PRODUCTS, LOSS):
        assert ours[op] == (steps + 1) * plain[op], op


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_one_function_for_all_evaluations(name):
    for steps in (1, 2, 3):
        graph = traced(name, steps)[0].as_graph_def()
        (function,) = graph.library.function
        calls = [called(node) for node in graph.node if called(node)]
        assert calls == [function.signature.name] * (steps + 1)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_nodes_of_a_step(name):
    graphs, weights = zip(*(traced(name, steps) for steps in (1, 2, 3)))
    one, two, three = (len(graph.get_operations()) for graph in graphs)
    assert three - two == two - one
    assert two - one <= NODES_A_WEIGHT * len(weights[0]) + NODES_A_STEP


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_weight_sized_tensors_of_a_step(name):
    one, two, three = (
        weight_sized(*traced(name, steps)) for steps in (1, 2, 3)
    )
    expected = {
        (shape, op): number * times
        for shape, number in kernels(traced(name, 1)[1]).items()
        for op, times in TENSORS_A_WEIGHT.items()
    }
    assert two - one == expected
    assert three - two == expected


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_nothing_goes_to_the_host(name):
    assert not HOST & {*executed(traced(name, 2)[0])}


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
