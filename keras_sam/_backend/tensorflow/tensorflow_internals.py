"""The private names of TensorFlow that the library uses, one a function.

No other file names an attribute of TensorFlow that begins with an underscore,
or a module of `tensorflow.python`; `tests/contracts/layers_test.py` looks for
that. Where a docstring says "Read in TensorFlow 2.18 and 2.21", the sources of
these versions have the name, with the meaning that the function gives it.
`tests/backend/tensorflow_internals_test.py` tests the meaning. A TensorFlow
without the name is an error that says so.
"""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import tensorflow as tf

from keras_sam import _private_names

_TENSORFLOW = _private_names.Package(
    "TensorFlow", "2.18 and 2.21", tf.__version__
)
_private = _TENSORFLOW.private


# The key-value store of the coordination service, which lives in the first
# worker of a cluster. Nothing public has it.


def _service() -> Any:
    context = _TENSORFLOW.module("tensorflow.python.eager.context")
    return _private(context, "context")()


def write(key: str, text: str) -> None:
    """Writes a text into the store, under a key that must be new.

    Read in TensorFlow 2.18 and 2.21: `Context.set_config_key_value` of
    `tensorflow.python.eager.context`.
    """
    _private(_service(), "set_config_key_value")(key, text)


def read(key: str, milliseconds: int) -> str:
    """Returns the text under a key, once it is there.

    Read in TensorFlow 2.18 and 2.21: `Context.get_config_key_value` of
    `tensorflow.python.eager.context`.

    Args:
        key: String.
        milliseconds: Int, at least 1, how long to wait. (0 is for ever.)

    Raises:
        tf.errors.DeadlineExceededError: If it is not there in time.
    """
    return _private(_service(), "get_config_key_value")(
        key, timeout_in_ms=milliseconds
    )


def delete(key: str) -> None:
    """Deletes a key from the store.

    Read in TensorFlow 2.18 and 2.21: `Context.delete_config_key_value` of
    `tensorflow.python.eager.context`.
    """
    _private(_service(), "delete_config_key_value")(key)


def failure(job: str, index: int) -> Exception | None:
    """Returns the error of a task that is lost, None while it lives.

    Read in TensorFlow 2.18 and 2.21: `Context.get_task_states` of
    `tensorflow.python.eager.context`. It takes a job and a number of tasks, and
    returns None or an error for each task.
    """
    return _private(_service(), "get_task_states")([(job, index + 1)])[-1]


# `ParameterServerStrategy`.


def variable_partitioner(strategy: tf.distribute.Strategy) -> Any:
    """Returns the `variable_partitioner` of a strategy, or None.

    Read in TensorFlow 2.18 and 2.21:
    `ParameterServerStrategyV2Extended._variable_partitioner`.
    """
    return _private(strategy.extended, "_variable_partitioner")


def number_of_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of workers in the cluster of a strategy.

    Read in TensorFlow 2.18 and 2.21: `ParameterServerStrategyV2._num_workers`.
    """
    return _private(strategy, "_num_workers")


def wait(
    remote: tf.distribute.experimental.coordinator.RemoteValue, seconds: float
) -> bool:
    """Waits for a scheduled function; returns whether it has ended in time.

    Read in TensorFlow 2.18 and 2.21:
    `RemoteValueImpl._status_available_event`, which is also set where the
    function has failed.
    """
    return _private(remote, "_status_available_event").wait(seconds)


def is_worker_failure(error: Exception) -> bool:
    """Whether an error says that a worker has died, and no server.

    Read in TensorFlow 2.18 and 2.21: `_is_worker_failure` of
    `tensorflow.python.distribute.coordinator.cluster_coordinator`.
    """
    coordinator = _TENSORFLOW.module(
        "tensorflow.python.distribute.coordinator.cluster_coordinator"
    )
    return _private(coordinator, "_is_worker_failure")(error)


# Graphs and gradients.


def scratch_graph() -> AbstractContextManager:
    """Returns a context that builds a graph, which is then thrown away.

    Variables that are created in it stay. Tensors of outer graphs and eager
    tensors can be used in it.

    Read in TensorFlow 2.18 and 2.21: `tf.__internal__.FuncGraph`, which Keras
    uses for the same.
    """
    internal = _private(tf, "__internal__")
    return _private(internal, "FuncGraph")("scratch_graph").as_default()


def around_custom_gradients(around: Callable[..., Any]) -> None:
    """Puts a function around TensorFlow's calls of `tf.custom_gradient`.

    Read in TensorFlow 2.18 and 2.21: `_eager_mode_decorator` and
    `_graph_mode_decorator` of `tensorflow.python.ops.custom_gradient`, which
    call a decorated function and record its gradient.

    Args:
        around: Function of the function of TensorFlow, and of the arguments of
            that function: the decorated function, args and kwargs.
    """
    module = _TENSORFLOW.module("tensorflow.python.ops.custom_gradient")
    for name in ("_eager_mode_decorator", "_graph_mode_decorator"):
        call = _private(module, name)
        setattr(module, name, functools.partial(around, call))


def around_moments(around: Callable[..., Any]) -> None:
    """Puts a function around `tf.nn.moments`, however it was imported.

    `tf.compat.v1.nn.moments` stays as it is.

    Read in TensorFlow 2.18 and 2.21: `moments` of
    `tensorflow.python.ops.nn_impl`, which `tf.nn.moments` calls.

    Args:
        around: Function of the function of TensorFlow, and of its arguments.
    """
    module = _TENSORFLOW.module("tensorflow.python.ops.nn_impl")
    moments = _private(module, "moments")
    module.moments = functools.partial(around, moments)


def around_gradient(name: str, around: Callable[..., Any]) -> None:
    """Puts a function around the registered gradient of an operation.

    Read in TensorFlow 2.18 and 2.21: `_registry` of the `gradient_registry` of
    `tensorflow.python.framework.ops`, which holds each gradient under "type".

    Args:
        name: String, the type of the operation.
        around: Function of the gradient, and of its arguments: the operation
            and what flows back.
    """
    module = _TENSORFLOW.module("tensorflow.python.framework.ops")
    registry = _private(module, "gradient_registry")
    entry = _private(registry, "_registry")[name]
    entry["type"] = functools.partial(around, entry["type"])
