"""Assignments to TensorFlow's variables in a pass, which would act every time.

A step has several passes. Keras's variables are assigned once, after the clean
pass. A `tf.Variable` that a layer assigns by itself changes in every pass.
"""

import tensorflow as tf


def check(graph):
    """Raises ValueError if a graph of a pass assigns a `tf.Variable`.

    A pass that runs eagerly has no graph to look at.

    Args:
        graph: The graph in which the pass was traced.
    """
    inner = {id(inner): outer for outer, inner in getattr(graph, "captures", [])}
    for operation in graph.get_operations():
        if not _assigns(operation.type):
            continue
        handle = inner.get(id(operation.inputs[0]), operation.inputs[0])
        names = [
            variable.name
            for variable in graph.variables
            if variable.handle is handle
        ]
        raise ValueError(
            "A layer of `model` must not assign a `tf.Variable`: a train step "
            "has several passes, and each would assign it. Use `add_weight(..., "
            "trainable=False)`, which changes once a step. Received an "
            f"assignment of {names[0] if names else handle.name!r}"
        )


def _assigns(kind):
    return kind.startswith(("Assign", "ResourceScatter")) and "ariable" in kind
