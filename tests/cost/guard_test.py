"""What a step may cost, read from its graph: nothing is run or timed.

The networks are those of the benchmarks, as large as there. What XLA makes of
them is `guard_xla_test.py`.
"""

import collections
import functools
import sys

import pytest

from tests.support import testing  # isort: skip

import keras
from tensorflow.python.eager import context

import keras_sam
from benchmarks import networks
from benchmarks import programs
from keras_sam import descents

# The nodes of one more ascent step but for its evaluation: so many for each
# weight, and so many more. For a weight they sum up its square, multiply, and
# add to its place; its gradient and place enter a function, the new one leaves.
NODES_A_WEIGHT = 6
NODES_A_STEP = 24
# Of a weight's shape in one more step, the gradient itself aside: the step, and
# the new place.
TENSORS_A_WEIGHT = {"Mul": 1, "AddV2": 1}
# The gradient of a table of embeddings are slices: their ids are sorted.
NODES_A_TABLE = 80
TENSORS_A_TABLE = {"TensorScatterAdd": 1}
# What hands tensors on.
PASSED = {"Placeholder", "Identity"}

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


def calls(graph):
    """Counts the calls of each function in a graph."""
    return collections.Counter(filter(None, map(called, graph.node)))


def executed(graph):
    """Counts the ops of a graph; those of a function once for each call."""
    graph = graph.as_graph_def()
    found = collections.Counter(node.op for node in graph.node)
    bodies = {f.signature.name: f.node_def for f in graph.library.function}
    for name, times in calls(graph).items():
        for node in bodies[name]:
            found[node.op] += times
    return found


def arithmetic(graph, steps):
    """Returns [(graph, times)] of what is executed but for evaluations."""
    (name,) = (
        name
        for name, times in calls(graph.as_graph_def()).items()
        if times == steps
    )
    return [(graph, 1), (graph._functions[name].graph, steps)]


def is_table(weight):
    """Whether a weight is that of an `Embedding`."""
    return weight.path.endswith("embeddings")


def kernels(weights):
    """Counts the weights of two and more axes, by shape."""
    return collections.Counter(
        tuple(w.shape) for w in weights if len(w.shape) > 1
    )


def weight_sized(graphs, weights):
    """Counts the outputs of the shapes of kernels, by (shape, op).

    Those of calls aside.
    """
    shapes, found = kernels(weights), collections.Counter()
    for graph, times in graphs:
        for op in graph.get_operations():
            for output in op.outputs:
                kernel = output.shape.rank and tuple(output.shape) in shapes
                if kernel and op.type not in CALLS | PASSED:
                    found[tuple(output.shape), op.type] += times
    return found


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("name", networks.NETWORKS)
def test_evaluations(name, steps):
    plain = executed(traced(name, None)[0])
    ours = executed(traced(name, steps)[0])
    assert plain[LOSS] == 1
    for op in (*PRODUCTS, LOSS):
        assert ours[op] == (steps + 1) * plain[op], op


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_one_function_for_all_evaluations_and_one_for_all_steps(name):
    for steps in (1, 2, 3):
        graph = traced(name, steps)[0].as_graph_def()
        assert len(graph.library.function) == 2
        assert sorted(calls(graph).values()) == [steps, steps + 1]


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_nodes_of_a_step(name):
    def nodes(steps):
        graphs = arithmetic(traced(name, steps)[0], steps)
        return sum(times * len(g.get_operations()) for g, times in graphs)

    one, two, three = map(nodes, (1, 2, 3))
    assert three - two == two - one
    weights = traced(name, 1)[1]
    tables = sum(map(is_table, weights))
    others = NODES_A_WEIGHT * (len(weights) - tables)
    assert two - one <= others + NODES_A_TABLE * tables + NODES_A_STEP


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_weight_sized_tensors_of_a_step(name):
    def tensors(steps):
        graph, weights = traced(name, steps)
        return weight_sized(arithmetic(graph, steps), weights)

    one, two, three = map(tensors, (1, 2, 3))
    weights = traced(name, 1)[1]
    tables = {tuple(w.shape) for w in weights if is_table(w)}
    expected = {
        (shape, op): number * times
        for shape, number in kernels(weights).items()
        for op, times in (
            TENSORS_A_TABLE if shape in tables else TENSORS_A_WEIGHT
        ).items()
    }
    assert two - one == expected
    assert three - two == expected


@pytest.mark.parametrize("descent", [descents.Last(), descents.Mean()])
def test_no_gradient_is_kept_to_be_added_up(descent):
    """TensorFlow adds up many terms at once, when all are there, if it can.

    Not those that come from functions which it does not inline.
    """
    network = networks.NETWORKS["mlp"]
    sam = keras_sam.SAM(network.build(), ascent_steps=4, descent=descent)
    sam.compile(keras.optimizers.SGD(0.1), testing.cross_entropy())
    context.enable_run_metadata()
    sam.train_on_batch(*network.batch())
    metadata = context.export_run_metadata()
    context.disable_run_metadata()
    executed = [
        node
        for function in metadata.function_graphs
        for node in function.post_optimization_graph.node
    ]
    assert "AssignSubVariableOp" in {node.op for node in executed}
    terms = [len(node.input) for node in executed if node.op == "AddN"]
    assert max(terms, default=0) <= 2


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_nothing_goes_to_the_host(name):
    assert not HOST & {*executed(traced(name, 2)[0])}


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
