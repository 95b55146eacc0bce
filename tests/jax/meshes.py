"""Models on several devices of JAX, for tests."""

import contextlib

import jax
import keras
import numpy as np

import keras_sam
from keras_sam import _keras_internals
from tests.support import testing


def devices(number):
    """Returns the `DataParallel` of the first devices, None for no number."""
    if number is None:
        return None
    found = keras.distribution.list_devices()[:number]
    assert len(found) == number
    return keras.distribution.DataParallel(devices=found)


def scope(distribution):
    """Returns the scope of a distribution, or a context that does nothing."""
    if distribution is None:
        return contextlib.nullcontext()
    return distribution.scope()


def norm_net():
    """Returns a model with batch statistics and a regularizer."""
    inputs = keras.Input((6,))
    x = keras.layers.Dense(4, kernel_regularizer="l2", name="hidden")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


def wrapped(make=norm_net, loss=None, metrics=("accuracy",), **arguments):
    """Returns a compiled wrapper, from a fixed seed."""
    keras.utils.set_random_seed(1)
    compiling = arguments.pop("compiling", {})
    sam = keras_sam.SAM(make(), **{"rho": 0.5, **arguments})
    sam.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        loss or testing.cross_entropy(),
        weighted_metrics=list(metrics),
        **compiling,
    )
    return sam


def trained(distribution, data, steps=3, **arguments):
    """Trains on a batch.

    Args:
        distribution: Distribution of Keras, or None.
        data: Arguments of `train_on_batch`.
        steps: Int, the number of steps.
        **arguments: Those of `wrapped`.

    Returns:
        (wrapper, list of the logs of each step).
    """
    with scope(distribution):
        sam = wrapped(**arguments)
        logs = [
            sam.train_on_batch(*data, return_dict=True) for _ in range(steps)
        ]
    return sam, logs


def assert_same(first, second, atol):
    """Asserts that two results of `trained` agree: all variables, and logs."""
    one, two = (list(testing.state(sam).items()) for sam, _ in (first, second))
    for (name, a), (_, b) in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=name)
    for a, b in zip(first[1], second[1], strict=True):
        assert a.keys() == b.keys()
        np.testing.assert_allclose(
            list(a.values()), list(b.values()), rtol=0, atol=atol
        )


def program(sam, data):
    """Returns the compiled program of a train step, as text.

    Args:
        sam: Compiled wrapper, or `keras.Model`, whose model is built.
        data: A batch as `fit` takes it.
    """
    data = _keras_internals.distributed(data)
    getattr(sam, "build_before_loop", sam._symbolic_build)(data_batch=data)
    state = tuple(
        [variable.value for variable in variables]
        for variables in (
            sam.trainable_variables,
            sam.non_trainable_variables,
            sam.optimizer.variables,
            sam.metrics_variables,
        )
    )
    shardings = jax.tree.map(lambda value: value.sharding, state)
    step = jax.jit(
        sam.train_step, donate_argnums=0, out_shardings=(None, shardings)
    )
    return step.lower(state, data).compile().as_text()
