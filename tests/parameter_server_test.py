"""Parameter servers: real processes on this machine.

A check runs in the process of a coordinator, which starts the servers. Several
share one, since each process takes seconds to start; a test waits for its own.
"""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import traceback

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from keras_sam import parameter_server
from tests import testing
from tests import workers_test

ROOT = pathlib.Path(__file__).parents[1]
TIMEOUT = 240  # Seconds, for all checks of a coordinator.

# A server ends when its coordinator does, which holds the other end of stdin.
SERVER = """
import os, sys
import tensorflow as tf
resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
tf.distribute.Server(
    resolver.cluster_spec(), resolver.task_type, resolver.task_id, "grpc"
)
sys.stdin.read()
os._exit(0)
"""

COORDINATOR = """
from tests import parameter_server_test
parameter_server_test.coordinate({workers})
"""


class Cluster:
    """So many workers and two parameter servers, as processes."""

    def __init__(self, workers):
        count = workers + 2
        addresses = [f"127.0.0.1:{p}" for p in workers_test.free_ports(count)]
        self._spec = {"worker": addresses[:workers], "ps": addresses[workers:]}
        self._processes = {}
        for kind, tasks in self._spec.items():
            for index in range(len(tasks)):
                self.start(kind, index)
        self.strategy = tf.distribute.ParameterServerStrategy(
            tf.distribute.cluster_resolver.SimpleClusterResolver(
                tf.train.ClusterSpec(self._spec), rpc_layer="grpc"
            )
        )

    def start(self, kind, index):
        task = {"type": kind, "index": index}
        config = json.dumps({"cluster": self._spec, "task": task})
        self._processes[kind, index] = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env={**os.environ, "TF_CONFIG": config},
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def kill(self, kind, index):
        process = self._processes.pop((kind, index))
        process.kill()
        process.wait()

    def stop(self):
        for kind, index in list(self._processes):
            self.kill(kind, index)


def coordinate(workers):
    """Runs the checks for so many workers; prints what each came to."""
    # Grappler may fuse operations where they are on one device only.
    tf.config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": True}
    )
    cluster = Cluster(workers)
    try:
        for check in CHECKS[workers]:
            outcome = ""
            try:
                check(cluster)
            except Exception:
                outcome = traceback.format_exc()
            print("RESULT", json.dumps([check.__name__, outcome]), flush=True)
    finally:
        cluster.stop()
    # Threads of TensorFlow look for the servers for a while.
    os._exit(0)


@functools.cache
def outcomes(workers):
    """Returns {name of a check: traceback, or nothing}, and all output."""
    process = subprocess.Popen(
        [sys.executable, "-c", COORDINATOR.format(workers=workers)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors = ""
    try:
        output, errors = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
    lines = [w for w in output.splitlines() if w.startswith("RESULT ")]
    found = [json.loads(line.removeprefix("RESULT ")) for line in lines]
    return dict(found), errors


def train(
    strategy, optimizer=None, net=testing.full_net, compiling=(), fit=(), **sam
):
    """Trains under a strategy, in the order of the data, from fixed seeds."""
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = keras_sam.SAM(net(), **{"rho": 0.1, **sam})
        optimizer = optimizer or functools.partial(
            keras.optimizers.SGD, 0.1, momentum=0.9, global_clipnorm=0.5
        )
        model.compile(
            optimizer(),
            testing.cross_entropy(),
            metrics=["accuracy"],
            **dict(compiling),
        )
    x, y = testing.data()
    arguments = {"x": x, "y": y, "batch_size": 8, "epochs": 2, **dict(fit)}
    history = model.fit(shuffle=False, verbose=0, **arguments)
    return model, history.history


def assert_as_on_one_device(cluster, atol=0.0, **arguments):
    """Asserts that one worker trains as plain Keras does on one device."""
    trained = train(cluster.strategy, **arguments)
    expected = train(tf.distribute.get_strategy(), **arguments)
    testing.assert_same(trained, expected, atol)
    return trained


@contextlib.contextmanager
def raises(pattern):
    with pytest.raises(ValueError, match=pattern) as caught:
        yield
    assert "ParameterServerStrategy" in str(caught.value) or (
        "steps_per_epoch" in str(caught.value)
    )


# One worker: steps come one after another, so all must be equal to the bit.


def check_ascent_steps(cluster):
    for steps in (0, 1, 3):
        assert_as_on_one_device(cluster, ascent_steps=steps)


def check_no_ascent_is_keras(cluster):
    trained = train(cluster.strategy, ascent_steps=0)
    keras.utils.set_random_seed(1)
    plain = testing.full_net()
    plain.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5),
        testing.cross_entropy(),
        metrics=["accuracy"],
    )
    x, y = testing.data()
    history = plain.fit(
        x, y, batch_size=8, epochs=2, shuffle=False, verbose=0
    ).history
    testing.assert_same(trained, (plain, history))


def check_optimizers(cluster):
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    for optimizer in (
        lambda: keras.optimizers.AdamW(0.01),
        lambda: keras.optimizers.SGD(decay),
        lambda: keras.optimizers.SGD(0.1, use_ema=True),
    ):
        assert_as_on_one_device(cluster, optimizer=optimizer)


def check_arguments_of_the_wrapper(cluster):
    decay = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    for arguments in (
        {"rho": decay},
        {"num_batch_splits": 2, "xla": True},
        {"direction": testing.Averaged(), "ascent_steps": 2},
    ):
        assert_as_on_one_device(cluster, **arguments)


def check_steps_per_execution(cluster):
    # 3 steps an epoch: executions of 2 and 1.
    model, _ = train(cluster.strategy, compiling={"steps_per_execution": 2})
    expected, _ = train(tf.distribute.get_strategy())
    assert model.optimizer.iterations == 6
    for a, b in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def check_arguments_of_fit(cluster):
    x, y = testing.data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(5)
    for fit in (
        {"validation_data": (x, y), "validation_freq": 2},
        {"validation_split": 0.25},
        {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}},
        {"sample_weight": np.linspace(0, 1, len(x)).astype("float32")},
        {"initial_epoch": 1, "epochs": 3},
        {"x": batches, "y": None, "batch_size": None},
        # Each epoch goes on where the last one stopped.
        {
            "x": batches.repeat(),
            "y": None,
            "batch_size": None,
            "steps_per_epoch": 3,
        },
    ):
        assert_as_on_one_device(cluster, fit=fit)


def check_function_of_the_data(cluster):
    """The function runs where its data are read: on the worker."""

    def batches(context):
        assert isinstance(context, tf.distribute.InputContext)
        # A process reads its own number.
        stat = tf.io.read_file("/proc/self/stat")
        number = tf.strings.to_number(tf.strings.split(stat)[0], tf.int64)
        dataset = tf.data.Dataset.from_tensor_slices(testing.data()).batch(8)
        return dataset.map(lambda x, y: (x, y, tf.fill(tf.shape(y), number)))

    class Reader(keras_sam.SAM):
        def train_step(self, data):
            x, y, numbers = data
            logs = super().train_step((x, y))
            return {**logs, "process": numbers[0]}

    with cluster.strategy.scope():
        model = Reader(testing.dense_net())
        model.compile("sgd", testing.cross_entropy())
    history = model.fit(batches, epochs=2, steps_per_epoch=2, verbose=0).history
    (worker,) = {
        process.pid
        for (kind, _), process in cluster._processes.items()
        if kind == "worker"
    }
    assert history["process"] == [worker] * 2
    assert len(history["loss"]) == 2


def check_evaluate_predict_save(cluster):
    x, y = testing.data(27)
    model, _ = train(cluster.strategy)
    expected, _ = train(tf.distribute.get_strategy())
    np.testing.assert_array_equal(
        model.evaluate(x, y, batch_size=8, verbose=0),
        expected.evaluate(x, y, batch_size=8, verbose=0),
    )
    predictions = expected.predict(x, verbose=0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), predictions)
    model.save("sam.keras")
    loaded = keras.saving.load_model("sam.keras")
    assert loaded._workers is None
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), predictions)
    os.remove("sam.keras")


def check_errors(cluster):
    strategy = cluster.strategy
    scaled = functools.partial(
        keras.optimizers.LossScaleOptimizer, keras.optimizers.SGD()
    )
    sgd = functools.partial(functools.partial, keras.optimizers.SGD)
    endless = tf.data.Dataset.from_tensors(testing.data(8)).repeat()
    whole = {"y": None, "batch_size": None}
    generated = tf.data.Dataset.from_generator(
        lambda: iter([testing.data(8)]),
        output_signature=(tf.TensorSpec((8, 6)), tf.TensorSpec(8, tf.int64)),
    )
    for pattern, arguments in {
        "run_eagerly": {"compiling": {"run_eagerly": True}},
        "jit_compile": {"compiling": {"jit_compile": True}},
        "losses": {"optimizer": scaled},
        "gradient_acc": {"optimizer": sgd(gradient_accumulation_steps=2)},
        "ema_overwrite": {
            "optimizer": sgd(use_ema=True, ema_overwrite_frequency=2)
        },
        "sync_perturbations": {"sync_perturbations": True},
        "steps_per_epoch": {"fit": {"x": endless, **whole}},
        "Python": {"fit": {"x": generated, "steps_per_epoch": 1, **whole}},
    }.items():
        with raises(pattern):
            train(strategy, **arguments)
    model, _ = train(strategy)
    x, y = testing.data(8)
    with raises("train_on_batch"):
        model.train_on_batch(x, y)
    with strategy.scope(), raises("outside"):
        model.fit(x, y, verbose=0)
    with strategy.scope():
        model = keras_sam.SAM(testing.dense_net())
    model.compile("sgd", "mse")
    with raises("compiled"):
        model.fit(x, y, verbose=0)


def check_an_error_on_a_worker_reaches_fit(cluster):
    x, y = testing.data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    bad = batches.map(lambda x, y: (tf.debugging.check_numerics(x / 0, "!"), y))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
        train(
            cluster.strategy, fit={"x": bad, "y": None, "batch_size": None}
        )
    train(cluster.strategy)  # Works again.


def check_a_step_reads_once_and_writes_last(cluster):
    """Of the weights: one read, before the one update, in the whole graph."""
    model, _ = train(
        cluster.strategy, net=testing.dense_net, ascent_steps=3, rho=10.0
    )
    x, y = testing.data(8)
    batches = tf.data.Dataset.from_tensors((x, y))
    function = parameter_server._function(model, cluster.strategy)
    cluster.strategy.extended._being_scheduled = True
    with cluster.strategy.scope():
        graph = function.get_concrete_function(iter(batches), 1).graph
    cluster.strategy.extended._being_scheduled = False
    kinds = {}
    for operation in testing_operations(graph):
        kinds.setdefault(operation, 0)
        kinds[operation] += 1
    raise AssertionError(kinds)


# Two workers at once.


def check_every_step_and_example_counts(cluster):
    """In any order, with a weight of zero: what is added up is exact."""

    class Seen(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.iterations = []

        def on_epoch_end(self, epoch, logs=None):
            self.iterations.append(int(self.model.optimizer.iterations))

    seen = Seen()
    x, y = testing.data(64)
    fit = {"x": x, "y": y, "batch_size": 4, "epochs": 8, "callbacks": [seen]}
    for steps in (1, 3):
        seen.iterations.clear()
        model, history = train(
            cluster.strategy, fit=fit, compiling={"steps_per_execution": steps}
        )
        assert seen.iterations == [16 * epoch for epoch in range(1, 9)]
        assert np.isfinite(history["loss"]).all()
        assert model._loss_tracker.count == 64
        assert all(np.isfinite(w).all() for w in model.get_weights())


CHECKS = {
    1: [
        check_ascent_steps,
        check_no_ascent_is_keras,
        check_optimizers,
        check_arguments_of_the_wrapper,
        check_steps_per_execution,
        check_arguments_of_fit,
        check_function_of_the_data,
        check_evaluate_predict_save,
        check_errors,
        check_an_error_on_a_worker_reaches_fit,
    ],
    2: [
        check_every_step_and_example_counts,
    ],
}


@pytest.mark.parametrize(
    ("workers", "name"),
    [(n, check.__name__) for n, checks in CHECKS.items() for check in checks],
)
def test_workers(workers, name):
    found, errors = outcomes(workers)
    assert name in found, f"The coordinator ended before. Its output:\n{errors}"
    assert not found[name], found[name]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
