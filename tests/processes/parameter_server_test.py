"""Parameter servers: real processes on this machine.

A check runs in the process of a coordinator, which starts the servers. Several
share one, since each process takes seconds to start; a test waits for its own.
"""

import collections
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_sam
from keras_sam._training.tensorflow.distribute import step_queue
from tests.support import processes
from tests.support import testing

TIMEOUT = 300  # Seconds, for all checks of a coordinator.

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
from tests.processes import parameter_server_test
parameter_server_test.coordinate({workers})
"""


class Cluster:
    """So many workers and as many parameter servers, as processes."""

    def __init__(self, workers):
        ports = processes.free_ports(2 * workers)
        addresses = [f"127.0.0.1:{port}" for port in ports]
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

    def process(self, kind, index):
        return self._processes[kind, index].pid

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
            print("START", check.__name__, time.strftime("%X"), flush=True)
            try:
                check(cluster)
            except (Exception, pytest.fail.Exception):
                outcome = traceback.format_exc()
            processes.say([check.__name__, outcome])
    finally:
        cluster.stop()
    # Threads of TensorFlow look for the servers for a while.
    os._exit(0)


@functools.cache
def outcomes(workers):
    """Returns {name of a check: traceback, or nothing}, and all output."""
    process = processes.start("-c", COORDINATOR.format(workers=workers))
    ((_, output),) = processes.finish([process], TIMEOUT)
    lines = [w for w in output.splitlines() if w.startswith("RESULT ")]
    found = [json.loads(line.removeprefix("RESULT ")) for line in lines]
    return dict(found), output


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


class Reader(keras_sam.SAM):
    """Logs the process that read the batch."""

    traced = 0

    def train_step(self, data):
        self.traced += 1
        x, y, process = data
        return {**super().train_step((x, y)), "process": process[0]}


def with_process(batches):
    """Returns a dataset of (x, y, number of the process that reads it)."""

    def add(x, y):
        stat = tf.strings.split(tf.io.read_file("/proc/self/stat"))
        number = tf.strings.to_number(stat[0], tf.int64)
        return x, y, tf.fill(tf.shape(y), number)

    return batches.map(add)


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
    assert_as_on_one_device(cluster, ascent_steps=3)


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
        lambda: keras.optimizers.AdamW(decay),
        lambda: keras.optimizers.SGD(0.1, use_ema=True),
    ):
        assert_as_on_one_device(
            cluster, optimizer=optimizer, net=testing.dense_net
        )


def check_arguments_of_the_wrapper(cluster):
    decay = keras.optimizers.schedules.ExponentialDecay(0.5, 2, 0.5)
    for arguments in (
        {"rho": decay, "direction": testing.Averaged(), "ascent_steps": 2},
        {"num_batch_splits": 2, "xla": True},
    ):
        assert_as_on_one_device(cluster, net=testing.dense_net, **arguments)


class Logs(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.logs = []

    def on_train_batch_end(self, batch, logs=None):
        self.logs.append(logs)


def check_callbacks(cluster):
    """Two steps are under way when a callback is called."""
    found = []
    for strategy in (cluster.strategy, tf.distribute.get_strategy()):
        callback = Logs()
        fit = {"batch_size": 4, "callbacks": [callback]}
        train(strategy, net=testing.dense_net, fit=fit)
        found.append(callback.logs)
    late, expected = found
    assert len(late) == 12
    for epoch in (0, 6):
        assert late[epoch : epoch + 2] == [{}, {}]
        assert late[epoch + 2 : epoch + 6] == expected[epoch : epoch + 4]


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
    whole = {"y": None, "batch_size": None}
    for fit in (
        {
            "validation_split": 0.25,
            "class_weight": {0: 1.0, 1: 2.0, 2: 0.5},
            "initial_epoch": 1,
            "epochs": 3,
        },
        {"sample_weight": np.linspace(0, 1, len(x)).astype("float32")},
        {"x": batches, "validation_data": (x, y), **whole},
        # Each epoch goes on where the last one stopped.
        {"x": batches.repeat(), "steps_per_epoch": 3, **whole},
    ):
        assert_as_on_one_device(cluster, net=testing.dense_net, fit=fit)


def check_function_of_the_data(cluster):
    """The function runs where its data are read: on the worker."""

    def batches(context):
        assert isinstance(context, tf.distribute.InputContext)
        return with_process(
            tf.data.Dataset.from_tensor_slices(testing.data()).batch(8)
        )

    with cluster.strategy.scope():
        model = Reader(testing.dense_net())
        model.compile("sgd", testing.cross_entropy())
    history = model.fit(batches, epochs=2, steps_per_epoch=2, verbose=0).history
    assert history["process"] == [cluster.process("worker", 0)] * 2
    assert len(history["loss"]) == 2
    model.fit(batches, steps_per_epoch=2, verbose=0)
    assert model.traced == 1
    assert model.optimizer.iterations == 6


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
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sam.keras")
        model.save(path)
        alone = keras.saving.load_model(path)
        with cluster.strategy.scope():
            resumed = keras.saving.load_model(path)
    np.testing.assert_array_equal(alone.predict(x, verbose=0), predictions)
    histories = [
        m.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
        for m in (resumed, expected)
    ]
    testing.assert_same((resumed, histories[0]), (expected, histories[1]))


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
        "from_generator": {
            "fit": {"x": generated, "steps_per_epoch": 1, **whole}
        },
    }.items():
        with raises(pattern):
            train(strategy, **arguments)
    model, _ = train(strategy)
    x, y = testing.data(8)
    with raises("train_on_batch"):
        model.train_on_batch(x, y)
    with strategy.scope(), raises("outside"):
        model.fit(x, y, verbose=0)
    partitioner = tf.distribute.experimental.partitioners
    partitioner = partitioner.FixedShardsPartitioner(2)
    extended = strategy.extended
    with mock.patch.object(extended, "_variable_partitioner", partitioner):
        with raises("variable_partitioner"):
            train(strategy)
    net = testing.dense_net()
    with strategy.scope(), raises("made elsewhere"):
        keras_sam.SAM(net)
    with strategy.scope():
        model = keras_sam.SAM(testing.dense_net())
    model.compile("sgd", "mse")
    with raises("made elsewhere"):
        model.fit(x, y, verbose=0)


def check_an_error_on_a_worker_reaches_fit(cluster):
    x, y = testing.data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    bad = batches.map(lambda x, y: (tf.debugging.check_numerics(x / 0, "!"), y))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
        train(cluster.strategy, fit={"x": bad, "y": None, "batch_size": None})
    train(cluster.strategy)  # Works again.


def check_a_climb_neither_reads_nor_writes(cluster):
    """Whatever the number of ascent steps, servers see the same operations."""
    counts = []
    for steps in (0, 1, 3):
        model, _ = train(cluster.strategy, ascent_steps=steps)
        batches = iter(tf.data.Dataset.from_tensors(testing.data(8)))
        function = step_queue.steps(model, cluster.strategy)
        extended = cluster.strategy.extended
        with mock.patch.object(extended, "_being_scheduled", True):
            with cluster.strategy.scope():
                concrete = function.get_concrete_function(batches, 1)
        counts.append(operations_on_variables(concrete.graph.as_graph_def()))
    assert counts[0] == counts[1] == counts[2]
    # 6 weights, iterations, loss and accuracy (a sum and a count each).
    assert counts[0]["AssignAddVariableOp"] == 6 + 1 + 4
    # 6 momenta, 2 batch statistics, the seed of a dropout, a constraint.
    assert counts[0]["AssignVariableOp"] == 6 + 2 + 1 + 1
    assert set(counts[0]) == {
        "AssignAddVariableOp",
        "AssignVariableOp",
        "ReadVariableOp",
    }


def operations_on_variables(graph):
    """Returns {kind: number of times that a call of a graph runs it}."""
    functions = {f.signature.name: f.node_def for f in graph.library.function}

    def count(nodes):
        total = collections.Counter()
        for node in nodes:
            if "Variable" in node.op or "Resource" in node.op:
                total[node.op] += 1
            for attribute in node.attr.values():
                if attribute.func.name:
                    total += count(functions[attribute.func.name])
        return total

    return count(graph.node)


# Two workers at once.


class Taker(keras_sam.SAM):
    """Counts how often it was given each of the numbers below 64."""

    def __init__(self, model):
        super().__init__(model)
        self.taken = tf.Variable(tf.zeros(64, tf.int32))

    def train_step(self, data):
        indices = tf.cast(data[0], tf.int32)
        ones = tf.ones(tf.shape(indices)[0], tf.int32)
        self.taken.scatter_nd_add(indices, ones)
        return super().train_step(data)


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


def check_servers_never_hold_perturbed_weights(cluster):
    """Two workers climb far away, at a learning rate of 0."""
    x, y = testing.data(8)
    batch = tf.data.Dataset.from_tensors((x, y)).repeat(32)
    model, history = train(
        cluster.strategy,
        optimizer=functools.partial(keras.optimizers.SGD, 0.0, momentum=0.9),
        net=testing.dense_net,
        fit={"x": batch, "y": None, "batch_size": None, "epochs": 2},
        ascent_steps=3,
        rho=1e3,
        radius="full",
    )
    keras.utils.set_random_seed(1)
    untrained = testing.dense_net()
    for a, b in zip(
        model.model.get_weights(), untrained.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    # Sums of 32 equal losses are rounded.
    loss = model.evaluate(x, y, verbose=0)[0]
    np.testing.assert_allclose(history["loss"], loss, rtol=1e-6)


def check_each_example_once(cluster):
    """A function of the data gives each worker its share of them."""
    x = np.arange(64, dtype="float32")[:, None]

    def share(context):
        dataset = tf.data.Dataset.from_tensor_slices((x, x)).batch(4)
        return dataset.shard(
            context.num_input_pipelines, context.input_pipeline_id
        )

    with cluster.strategy.scope():
        net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model = Taker(net)
        model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(share, steps_per_epoch=64, verbose=0)
    taken = model.taken.numpy()
    # Which worker does how many steps is open; in what order it does not.
    shares = taken.reshape(-1, 2, 4)
    for worker in range(2):
        times = shares[:, worker]
        assert (times == times[:, :1]).all()
        assert times.max() - times.min() <= 1
    assert taken.sum() == 64 * 4

    with raises("class_weight"):
        model.fit(share, steps_per_epoch=1, class_weight={0: 2.0}, verbose=0)


class Fault(keras.callbacks.Callback):
    """Kills a worker that has done a step, later starts it again."""

    def __init__(self, cluster):
        super().__init__()
        self._cluster = cluster
        self._first = cluster.process("worker", 1)
        self._alone = 0
        self.second = None
        self.came_back = False

    def on_train_batch_end(self, batch, logs=None):
        worker = logs.get("process")
        if self._first is not None:
            if worker == self._first:
                self._cluster.kill("worker", 1)
                self._first = None
        elif self.second is None:
            self._alone += 1
            if self._alone == 20:
                self._cluster.start("worker", 1)
                self.second = self._cluster.process("worker", 1)
        elif not self.came_back:
            time.sleep(0.2)
            self.came_back = worker == self.second


def check_a_killed_worker_comes_back(cluster):
    with cluster.strategy.scope():
        model = Reader(testing.dense_net())
        model.compile("sgd", testing.cross_entropy())
    dataset = tf.data.Dataset.from_tensor_slices(testing.data(64)).batch(4)
    fault = Fault(cluster)
    model.fit(
        with_process(dataset.repeat()),
        steps_per_epoch=600,
        verbose=0,
        shuffle=False,
        callbacks=[fault],
    )
    assert fault.came_back
    # The step that the worker died in is done again, once it may have counted.
    assert model.optimizer.iterations in (600, 601)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def check_logs_on_a_worker_that_died(cluster):
    """They are lost, but their steps are done."""
    died = []
    finish = step_queue.Schedule.finish

    def finish_with_one(self, logs):
        for remote in self._pending:
            assert remote._status_available_event.wait(60)
        # That which holds the last logs.
        place = tf.nest.flatten(self._pending[-1]._values)[0].device
        died.append(tf.DeviceSpec.from_string(place).task)
        cluster.kill("worker", died[0])
        return finish(self, logs)

    x, y = testing.data(64)
    with (
        mock.patch.object(step_queue, "_AHEAD", 1000),
        mock.patch.object(step_queue.Schedule, "finish", finish_with_one),
    ):
        model, history = train(
            cluster.strategy,
            net=testing.dense_net,
            fit={"x": x, "y": y, "epochs": 1, "batch_size": 1},
        )
    # The worker that has just come back may have failed once more.
    assert model.optimizer.iterations in (64, 65)
    assert all(np.isfinite(w).all() for w in model.get_weights())
    # None if the other worker has done nothing.
    assert np.isfinite(history.get("loss", 0)).all()
    cluster.start("worker", died[0])


def check_without_workers_fit_gives_up(cluster):
    class Faults(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 4:
                cluster.kill("worker", 0)
                cluster.kill("worker", 1)

    x, y = testing.data(64)
    fit = {"x": x, "y": y, "epochs": 4, "callbacks": [Faults()]}
    with (
        mock.patch.multiple(step_queue, _WARN_AFTER=1, _WARNINGS=2),
        pytest.warns(UserWarning, match="for 1 seconds. Are the workers"),
        pytest.raises(TimeoutError, match="for 2 seconds. Are the workers"),
    ):
        train(cluster.strategy, net=testing.dense_net, fit=fit)


CHECKS = {
    1: [
        check_ascent_steps,
        check_no_ascent_is_keras,
        check_optimizers,
        check_arguments_of_the_wrapper,
        check_callbacks,
        check_steps_per_execution,
        check_arguments_of_fit,
        check_function_of_the_data,
        check_evaluate_predict_save,
        check_errors,
        check_an_error_on_a_worker_reaches_fit,
        check_a_climb_neither_reads_nor_writes,
    ],
    2: [
        check_every_step_and_example_counts,
        check_servers_never_hold_perturbed_weights,
        check_each_example_once,
        check_a_killed_worker_comes_back,
        check_logs_on_a_worker_that_died,
        check_without_workers_fit_gives_up,  # The last, for want of workers.
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
