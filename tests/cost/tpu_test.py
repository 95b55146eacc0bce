"""TPUs, as far as a machine without one goes.

Two stand-ins: a TPUStrategy of eight replicas that are only described, under
which everything is traced and nothing runs; and a strategy that calls itself a
TPUStrategy and runs on two logical CPUs. What compilers say is `tpu_check.py`.
"""

import collections
import http.server
import socket
import sys
import threading
import types
import weakref

import pytest

from tests.support import testing  # isort: skip

import keras
import numpy as np
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

import keras_sam
from examples import data
from examples import models
from examples import options
from examples import train
from examples.tensorflow import tpu

REPLICAS = 8
GRADIENTS = 6  # Of the network: three layers, each a kernel and a bias.


class Described(tf.distribute.cluster_resolver.TPUClusterResolver):
    """A TPU of eight cores that nobody has."""

    def __init__(self):
        super().__init__("local")

    def get_tpu_system_metadata(self):
        place = "/job:localhost/replica:0/task:0/device:TPU:"
        return tf.tpu.experimental.TPUSystemMetadata(
            num_cores=REPLICAS,
            num_hosts=1,
            num_of_cores_per_host=REPLICAS,
            topology=None,
            devices=[
                types.SimpleNamespace(name=f"{place}{core}")
                for core in range(REPLICAS)
            ],
        )


class OnCPUs(tf.distribute.TPUStrategy):
    """Has the type of a TPUStrategy, and runs where another strategy does."""

    def __init__(self, extended):
        tf.distribute.Strategy.__init__(self, extended)

    run = tf.distribute.Strategy.run


@pytest.fixture(scope="module")
def described():
    return tf.distribute.TPUStrategy(Described())


def arrays():
    """Returns 140 black images, which full batches of 64 do not use up."""
    images, labels = np.zeros((140, 8, 8, 1), np.uint8), np.zeros(140, np.int64)
    return data.Arrays((images, labels), (images, labels), 3)


def compiled(
    strategy,
    arguments,
    xla="auto",
    optimizer=keras.optimizers.SGD,
    **compiling,
):
    """Returns a small network of the examples, under a strategy."""
    with strategy.scope():
        network = models.build("mlp", (8, 8, 1), 3)
        sam = keras_sam.SAM(network, xla=xla, **arguments)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        sam.compile(optimizer(), loss, metrics=["accuracy"], **compiling)
    return sam


# The branch for TPUs, run. It comes first: what fails below may leave traces.


def test_replicas_compile_nothing_and_train_alike(monkeypatch):
    """To the bit: XLA would sum in another order."""

    def trained(strategy, xla):
        with strategy.scope():
            return testing.train(
                testing.full_net,
                lambda model: keras_sam.SAM(model, ascent_steps=2, xla=xla),
                "adam",
            )

    expected = trained(testing.two_replicas(), xla=False)
    # The same devices, since a process has one strategy of two replicas.
    extended = testing.two_replicas().extended
    strategy = OnCPUs(extended)
    monkeypatch.setattr(
        extended, "_container_strategy_weakref", weakref.ref(strategy)
    )
    ours = trained(strategy, xla=True)
    assert isinstance(ours[0].distribute_strategy, tf.distribute.TPUStrategy)
    testing.assert_same(ours, expected)


# The step under the true TPUStrategy, traced.


def replicated_batch(strategy):
    """Returns a batch of the examples' pipeline, split over the replicas.

    Not by an iterator of the strategy: with no TPU, its end may hang.
    """
    spec = data.train_batches(arrays(), 64, 0, range(1)).element_spec

    def part(spec):
        zeros = tf.zeros([spec.shape[0] // REPLICAS, *spec.shape[1:]])
        return strategy.experimental_distribute_values_from_function(
            lambda replica: zeros
        )

    return tuple(map(part, spec))


def traced(strategy, sam):
    """Returns the nodes and the functions of a replicated train step."""
    batch = replicated_batch(strategy)
    sam.build_before_loop(data_batch=batch)

    @tf.function(autograph=False)
    def step(batch):
        return strategy.run(sam.train_step, args=(batch,))

    graph = step.get_concrete_function(batch).graph.as_graph_def()
    functions = graph.library.function
    nodes = [*graph.node, *(n for f in functions for n in f.node_def)]
    return nodes, functions


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("sync", [False, True])
def test_step_is_one_program(described, steps, sync):
    climb = {"ascent_steps": steps, "sync_perturbations": sync}
    nodes, functions = traced(described, compiled(described, climb, xla=True))
    (program,) = [n for n in nodes if n.op == "TPUReplicateMetadata"]
    assert program.attr["num_replicas"].i == REPLICAS
    # Nothing else is compiled within it, and no shape is left open.
    assert not [f for f in functions if f.attr["_XlaMustCompile"].b]
    ops = collections.Counter(node.op for node in nodes)
    assert not ops["Shape"]
    calls = collections.Counter(
        node.attr["f"].func.name.strip("_").rsplit("_", 1)[0]
        for node in nodes
        if node.op == "PartitionedCall"
    )
    assert calls == +collections.Counter(
        inference__evaluate=steps + 1, inference__move=steps
    )
    # Without sync as in plain training; with it also the loss of each point.
    reductions = (GRADIENTS + 1) * (steps + 1) if sync else GRADIENTS
    assert ops["CrossReplicaSum"] == reductions


def now_and_then():
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.AdamW(
            global_clipnorm=1.0,
            gradient_accumulation_steps=2,
            use_ema=True,
            ema_overwrite_frequency=2,
        )
    )


def test_optimizer_reduces_nothing_more(described):
    sam = compiled(described, {"ascent_steps": 2}, optimizer=now_and_then)
    nodes, _ = traced(described, sam)
    ops = collections.Counter(node.op for node in nodes)
    assert ops["CrossReplicaSum"] == GRADIENTS


@pytest.mark.parametrize(
    "compiling", [{}, {"steps_per_execution": 2}, {"jit_compile": True}]
)
def test_steps_lack_only_the_tpu(described, compiling):
    """The functions of `fit` and `evaluate` get as far as the device."""
    sam = compiled(described, {"ascent_steps": 2}, **compiling)
    batch = replicated_batch(described)
    sam.build_before_loop(data_batch=batch)
    sam.make_train_function()
    sam.make_test_function()
    for function in (sam.train_function, sam.test_function):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Op 'TPU"):
            function(iter([batch] * 2))


# The command line.


def parse(*arguments):
    with flagsaver.flagsaver():
        flags.FLAGS(["train", "--output_dir=unused", *arguments])
        return options.settings()


@pytest.mark.parametrize(
    "arguments", [["--strategy=tpu"], ["--tpu=x"], ["--strategy=tpu", "--tpu="]]
)
def test_tpu_and_its_name_need_each_other(arguments):
    with pytest.raises(flags.Error, match="need each other"):
        parse(*arguments)


def test_settings_of_a_run_do_not_depend_on_the_tpu():
    assert parse("--strategy=tpu", "--tpu=local").tpu == "local"
    assert "tpu" in options.PLACES


@pytest.fixture
def closed():
    """A port of this machine where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def metadata(monkeypatch):
    """Answers, as Google's machines do, what project and zone this is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"projects/1/zones/a")

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        use_metadata(monkeypatch, server.server_port)
        yield
        server.shutdown()


def use_metadata(monkeypatch, port):
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_tensorflow_without_tpus():
    with pytest.raises(RuntimeError, match="'local'.*install tensorflow-tpu"):
        tpu.strategy("local")


def test_name_without_the_metadata_of_google(closed, monkeypatch):
    use_metadata(monkeypatch, closed)
    with pytest.raises(RuntimeError, match="'my-tpu'.*refused"):
        tpu.strategy("my-tpu")


@pytest.mark.parametrize("name", ["my-tpu", "zone/my-tpu"])
def test_metadata_that_does_not_answer(monkeypatch, name):
    monkeypatch.setattr(tpu, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_metadata(monkeypatch, silent.getsockname()[1])
        with pytest.raises(RuntimeError, match=f"'{name}'.*timed out"):
            tpu.strategy(name)
    assert socket.getdefaulttimeout() is None


def test_name_without_the_package_that_looks_it_up(metadata):
    with pytest.raises(RuntimeError, match="pip install cloud-tpu-client"):
        tpu.strategy("my-tpu")


def test_address_where_nobody_listens(closed):
    with pytest.raises(RuntimeError, match=f"{closed}.*refused"):
        tpu.strategy(f"grpc://127.0.0.1:{closed}")


def test_train_reaches_for_the_tpu():
    settings = parse("--strategy=tpu", "--tpu=local", "--batch_size=16")
    with pytest.raises(RuntimeError, match="install tensorflow-tpu"):
        train.train(settings)


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
