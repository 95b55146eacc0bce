"""Assignments to TensorFlow's variables in a pass, which would act every time.

A step has several passes. Keras's variables are assigned once, after the clean
pass. A `tf.Variable` that a layer assigns by itself changes in every pass.
"""

from keras_sam import _keras_internals

_KINDS = (
    "AssignAddVariableOp",
    "AssignSubVariableOp",
    "AssignVariableOp",
    "ResourceScatter",
)


def check(graph, model):
    """Raises ValueError if the graph of a pass assigns a `tf.Variable`.

    It does not see what conditionals and functions within the graph assign. A
    pass that runs eagerly has no graph.

    Args:
        graph: The graph in which the pass was traced.
        model: `keras.Model`.
    """
    for operation in graph.get_operations():
        if operation.type.startswith(_KINDS):
            raise ValueError(
                "A layer of `model` must not assign a `tf.Variable`: a train "
                "step has several passes, and each would assign it. Use "
                "`add_weight(..., trainable=False)`, which changes once a "
                "step. Received an assignment of "
                f"{_name(graph, operation.inputs[0], model)} in the operation "
                f"{operation.name!r}"
            )


def _name(graph, handle, model):
    """Returns the name of the variable of a handle, as a layer has it."""
    outside = {id(inner): outer for outer, inner in graph.captures}
    handle = outside.get(id(handle), handle)
    for layer in _keras_internals.layers(model):
        for name, value in _keras_internals.attributes(layer):
            if getattr(value, "handle", None) is handle:
                return f"{layer.path}.{name} ({value.name!r})"
    return "a variable"
