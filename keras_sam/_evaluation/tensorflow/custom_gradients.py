"""Lets gradients reach the weights that functions with own gradients use.

`keras.remat`, `keras.RematScope` and `tf.recompute_grad` make such functions:
they save memory, since they compute again what a gradient needs. TensorFlow
passes them the variables that they read, so that they can return a gradient
for each. In a `scope.Scope` they read tensors instead, which TensorFlow does
not notice. This module passes them these tensors.
"""

import functools
import inspect

import keras
import tensorflow as tf
from keras import tree

from keras_sam._backend.tensorflow import tensorflow_internals


@functools.cache
def install(active):
    """Has TensorFlow call functions with own gradients by this module.

    Args:
        active: Function that returns the `Scope` of this thread, or None.
            Without a scope everything is as before.
    """
    tensorflow_internals.around_custom_gradients(
        functools.partial(_called, active)
    )


def _called(active, call, function, args, kwargs):
    """Calls a function with its own gradient; returns its result.

    Args:
        active: See `install`.
        call: TensorFlow's function of the three arguments that follow.
        function: Returns a result and a function of the gradient of the result.
            That function returns gradients of `args` and, if it takes
            `variables`, of these.
        args, kwargs: What the user calls the function with.

    Raises:
        TypeError: If the function uses weights, and its gradient does not take
            `variables`. TensorFlow demands the same.
    """
    scope = active()
    if scope is None:
        return call(function, args, kwargs)
    args = tree.map_structure(_read, args)
    with scope.reading() as read:
        result, gradient = function(*args, **kwargs)
    paths, weights = zip(*read.values(), strict=True) if read else ((), ())
    scope.own_gradients.update(paths)
    if read and not _takes_variables(gradient):
        raise TypeError(
            "A function with `tf.custom_gradient` uses the weights "
            f"{sorted(paths)}, so its gradient function must take `variables` "
            "and also return a list of their gradients. Received: "
            f"{function.__name__}"
        )

    @functools.wraps(function)
    def called(*inputs):
        del inputs

        def backward(*upstream):
            if not weights:
                return gradient(*upstream)
            of_args, of_weights = gradient(*upstream, variables=list(weights))
            return [of_args, [tf.convert_to_tensor(g) for g in of_weights]]

        return result, backward

    return call(called, (*args, *weights), {})


def _read(value):
    # A variable that is an argument gets its gradient as an argument.
    if isinstance(value, keras.Variable):
        return tf.convert_to_tensor(value)
    return value


def _takes_variables(gradient):
    parameters = inspect.signature(gradient).parameters
    return "variables" in parameters or any(
        p.kind is p.VAR_KEYWORD for p in parameters.values()
    )
