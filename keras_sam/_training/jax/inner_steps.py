"""The steps that an inner model overrides, called for its wrapper."""

import keras
from keras import tree

from keras_sam._evaluation.jax.scope import Scope


def of_inner(wrapper, method):
    """Returns a step of an inner model as a step of its wrapper.

    On JAX a step takes the values of the model's variables, and returns their
    new values. The wrapper has more variables than the inner model, such as the
    memory of its parts.

    Args:
        wrapper: The wrapper.
        method: `test_step` or `predict_step` of its inner model.
    """

    def step(state, data):
        of_wrapper, of_model = (
            groups(model, metrics=len(state) == 3)
            for model in (wrapper, wrapper.model)
        )
        with Scope(pairs(of_wrapper, state)) as scope:
            given = tuple([v.value for v in group] for group in of_model)
            result, new = method(given, data)
            if len(state) == 2:  # `predict_step` returns no trained weights.
                new = (given[0], new)
            for variable, value in pairs(of_model, new):
                variable.assign(value)
        values = present(scope, of_wrapper)
        return result, values[1] if len(state) == 2 else values

    return step


def groups(model, metrics=True):
    """Returns the lists of variables whose values are the state of a step."""
    found = (model.trainable_variables, model.non_trainable_variables)
    return (*found, model.metrics_variables) if metrics else found


def pairs(groups, state):
    """Returns pairs of a variable and its value, of all groups."""
    return [
        pair
        for variables, values in zip(groups, state, strict=True)
        for pair in zip(variables, values, strict=True)
    ]


def tensors(logs):
    """Returns logs with the present values of variables in their place.

    A model may log a variable, such as its learning rate. A compiled step
    cannot return a variable.
    """
    return tree.map_structure(
        lambda v: v.value if isinstance(v, keras.Variable) else v, logs
    )


def present(scope, groups):
    """Returns the values that a scope has for the variables of all groups."""
    return tuple(
        [scope.get_current_value(v) for v in group] for group in groups
    )
