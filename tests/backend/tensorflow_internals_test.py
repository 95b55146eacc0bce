"""What the private names of TensorFlow mean, each as the library takes it.

`workers_test.py` and `parameter_server_test.py` use them all in clusters.
"""

import sys
import types

import keras
import pytest
import tensorflow as tf
from tensorflow.python.distribute.coordinator import values
from tensorflow.python.eager import remote as connections
from tensorflow.python.framework import ops
from tensorflow.python.ops import nn_impl

from keras_sam._backend.tensorflow import tensorflow_internals
from tests.support import processes
from tests.support import testing  # noqa: F401  Before anything touches devices.


@pytest.mark.parametrize(
    ("function", "arguments", "missing"),
    [
        ("write", ("key", "text"), "set_config_key_value"),
        ("read", ("key", 1), "get_config_key_value"),
        ("delete", ("key",), "delete_config_key_value"),
        ("failure", ("worker", 0), "get_task_states"),
    ],
)
def test_a_store_without_a_method(monkeypatch, function, arguments, missing):
    monkeypatch.setattr(tensorflow_internals, "_service", types.SimpleNamespace)
    with pytest.raises(
        RuntimeError,
        match=rf"keras_sam uses `SimpleNamespace\.{missing}`, which is private "
        r"to TensorFlow .* TensorFlow 2\.18 and 2\.21\. TensorFlow "
        rf"{tf.__version__}, which is installed, has none",
    ):
        getattr(tensorflow_internals, function)(*arguments)


@pytest.mark.parametrize(
    ("function", "arguments", "missing"),
    [
        ("variable_partitioner", (), "_variable_partitioner"),
        ("number_of_workers", (), "_num_workers"),
        ("wait", (1,), "_status_available_event"),
    ],
)
def test_a_strategy_without_an_attribute(function, arguments, missing):
    other = types.SimpleNamespace(extended=types.SimpleNamespace())
    with pytest.raises(RuntimeError, match=rf"`SimpleNamespace\.{missing}`"):
        getattr(tensorflow_internals, function)(other, *arguments)


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        ("tensorflow.python.eager.context", "delete", ("key",)),
        (
            "tensorflow.python.distribute.coordinator.cluster_coordinator",
            "is_worker_failure",
            (ValueError(),),
        ),
    ],
)
def test_a_missing_module(monkeypatch, module, function, arguments):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RuntimeError, match=f"keras_sam uses `{module}`"):
        getattr(tensorflow_internals, function)(*arguments)


# In a process of its own, since it makes a cluster of one.
STORE = """
import time
import tensorflow as tf
from keras_sam._backend.tensorflow import tensorflow_internals
strategy = tf.distribute.MultiWorkerMirroredStrategy()
store = tensorflow_internals

def missing(key):
    begin = time.monotonic()
    try:
        store.read(key, 200)
    except tf.errors.DeadlineExceededError:
        assert 0.1 < time.monotonic() - begin < 60
        return True

assert missing("a/b")
store.write("a/b", "text")
assert store.read("a/b", 200) == "text"
store.delete("a/b")
assert missing("a/b")
store.write("a/b", "other")
assert store.read("a/b", 200) == "other"
assert store.failure("worker", 0) is None
print("DONE", flush=True)
"""


def test_store():
    (config,) = processes.tf_configs(1)
    process = processes.start("-c", STORE, TF_CONFIG=config)
    ((status, output),) = processes.finish([process])
    assert status == 0 and "DONE" in output, output


@pytest.fixture
def strategy(monkeypatch):
    """Returns a strategy of three workers, to which nothing connects."""
    monkeypatch.setattr(
        connections, "connect_to_cluster", lambda *_, **__: None
    )
    for name in (
        "TF_ENABLE_EAGER_CLIENT_STREAMING_ENQUEUE",
        "TF_PS_DISABLE_ASYNC_EXECUTOR_GLOBALLY",
    ):
        monkeypatch.setenv(name, "")  # To be put back: the strategy sets it.

    def make(**arguments):
        workers = [f"127.0.0.1:{port}" for port in range(1, 4)]
        spec = {"worker": workers, "ps": ["127.0.0.1:4"]}
        return tf.distribute.ParameterServerStrategy(
            tf.distribute.cluster_resolver.SimpleClusterResolver(
                tf.train.ClusterSpec(spec), rpc_layer="grpc"
            ),
            **arguments,
        )

    return make


def test_number_of_workers(strategy):
    assert tensorflow_internals.number_of_workers(strategy()) == 3


def test_variable_partitioner(strategy):
    assert tensorflow_internals.variable_partitioner(strategy()) is None
    partitioners = tf.distribute.experimental.partitioners
    partitioner = partitioners.FixedShardsPartitioner(2)
    with_one = strategy(variable_partitioner=partitioner)
    assert tensorflow_internals.variable_partitioner(with_one) is partitioner


def test_wait_is_for_the_end_of_a_function():
    for end in (
        lambda remote: remote._set_values(1),
        lambda remote: remote._set_error(ValueError()),
        lambda remote: remote._set_aborted(ValueError()),
    ):
        remote = values.RemoteValueImpl(None, None)
        assert not tensorflow_internals.wait(remote, 0.01)
        end(remote)
        assert tensorflow_internals.wait(remote, 0.01)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (tf.errors.UnavailableError(None, None, "/job:worker/task:1"), True),
        (tf.errors.UnavailableError(None, None, "/job:ps/task:0"), False),
        (tf.errors.InvalidArgumentError(None, None, "/job:worker"), False),
        (ValueError("/job:worker"), False),
    ],
)
def test_is_worker_failure(error, expected):
    assert tensorflow_internals.is_worker_failure(error) == expected


def test_around_moments(monkeypatch):
    monkeypatch.setattr(nn_impl, "moments", nn_impl.moments)
    seen = []

    def around(moments, *arguments, **named):
        seen.append((arguments, named))
        return moments(*arguments, **named)

    x = tf.constant([[1.0, 3.0]])
    before = tf.nn.moments(x, [1], keepdims=True)
    tensorflow_internals.around_moments(around)
    for one, two in zip(tf.nn.moments(x, [1], keepdims=True), before):
        assert one.numpy().tolist() == two.numpy().tolist()
    tf.compat.v2.nn.moments(x, [0])
    keras.ops.moments(x, [0])
    assert len(seen) == 3
    assert all(
        set(named) <= {"x", "axes", "shift", "name", "keep_dims"}
        for _, named in seen
    )


@pytest.mark.parametrize("graph", [True, False])
def test_around_gradient(monkeypatch, graph):
    registry = ops.gradient_registry._registry
    monkeypatch.setitem(registry, "Softsign", dict(registry["Softsign"]))

    def around(gradient, operation, upstream):
        assert operation.inputs[0].shape == upstream.shape
        return 2 * gradient(operation, upstream)

    def slope():
        x = tf.constant([1.0, 3.0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.softsign(x)
        return tape.gradient(y, x)

    before = slope()
    tensorflow_internals.around_gradient("Softsign", around)
    after = tf.function(slope)() if graph else slope()
    assert (2 * before).numpy().tolist() == after.numpy().tolist()


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
