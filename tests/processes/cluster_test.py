"""Tests of what the examples say about a wrong cluster, or an absent one."""

import json
import os
import re
import socket
import sys

import pytest

from examples import ports
from examples.tensorflow import cluster
from tests.support import processes

TWO = {"worker": ["a:1", "b:1"]}


def config(workers, kind="worker", index=0):
    return json.dumps(
        {"cluster": workers, "task": {"type": kind, "index": index}}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "be set to a JSON object"),
        ("", "be set to a JSON object"),
        ("[1]", r"be set to a JSON object.*Received: '\[1\]'"),
        ("{worker: 0}", "be JSON.*Received: '{worker: 0}'"),
        ('{"task": {"type": "worker", "index": 0}}', "hold a 'cluster'"),
        (config({}), "hold a 'cluster'"),
        ('{"cluster": {"worker": ["a:1"]}}', "hold a 'task'"),
        (
            config({**TWO, "ps": ["c:1"]}),
            r"neither a parameter server.*\['ps', 'wor",
        ),
        (config({"evaluator": ["c:1"]}, "evaluator"), "nor an evaluator"),
        (config(TWO, "evaluator"), "a type in its cluster.*'evaluator'"),
        (config(TWO, ["worker"]), r"a type in its cluster.*\['worker'\]"),
        (config({"worker": ["grpc://a:1"]}), "with a port.*'grpc://a:1'"),
        (config({"worker": ["a b:1"]}), "with a port.*'a b:1'"),
        (config(TWO, "boss"), "a type in its cluster.*'boss'"),
        (config(TWO, "chief"), "a type in its cluster.*'chief'"),
        (config(TWO, index=2), "index from 0 to 1.*Received: 2"),
        (config(TWO, index=-1), "index from 0 to 1.*Received: -1"),
        (config(TWO, index="0"), "index from 0 to 1.*Received: '0'"),
        (config({"worker": ["a:1", "a:1"]}), "address of its own"),
        (config({"chief": ["a:1"], "worker": ["a:1"]}), "address of its own"),
        (config({"chief": ["a:1", "b:1"]}, "chief"), "at most one chief"),
        (config({"worker": "a:1"}), "a list of addresses"),
        (config({"worker": []}), "a list of addresses"),
        (config({"worker": ["a"]}), "with a port.*Received: 'a'"),
        (config({"worker": ["a:"]}), "with a port.*Received: 'a:'"),
        (config({"worker": ["a:99999"]}), "with a port.*'a:99999'"),
    ],
)
def test_wrong_tf_config(text, message):
    with pytest.raises(ValueError, match=f"(?s)TF_CONFIG must.*{message}"):
        cluster.tf_config(text)


@pytest.mark.parametrize(
    ("workers", "kind", "index"),
    [
        (TWO, "worker", 1),
        ({"worker": ["a:1"]}, "worker", 0),
        ({"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "worker", 1),
        ({"chief": ["a:1"], "worker": ["b:1"]}, "chief", 0),
        ({"worker": ["[::1]:1"]}, "worker", 0),
    ],
)
def test_right_tf_config(workers, kind, index):
    found = cluster.tf_config(config(workers, kind, index))
    assert found == (workers, kind, index)


def slurm(monkeypatch, **environment):
    for name in list(os.environ):
        if name.startswith("SLURM"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return json.loads(cluster.slurm_config(9000))


def test_slurm(monkeypatch):
    # Slurm's order, in which node 10 comes after node 9.
    found = slurm(
        monkeypatch,
        SLURM_PROCID="3",
        SLURM_STEP_NUM_TASKS="4",
        SLURM_STEP_NODELIST="gpu[9-10],login",
        SLURM_STEP_TASKS_PER_NODE="2,1(x2)",
        SLURMD_NODENAME="login",
    )
    addresses = ["gpu9:9000", "gpu9:9001", "gpu10:9000", "login:9000"]
    assert found == {
        "cluster": {"worker": addresses},
        "task": {"type": "worker", "index": 3},
    }
    cluster.tf_config(json.dumps(found))


def test_slurm_that_cannot_be(monkeypatch):
    with pytest.raises(RuntimeError, match="SLURM_PROCID not found"):
        slurm(monkeypatch)
    with pytest.raises(ValueError, match="task 1 on b, not on a"):
        slurm(
            monkeypatch,
            SLURM_PROCID="1",
            SLURM_STEP_NUM_TASKS="4",
            SLURM_STEP_NODELIST="a,b",
            SLURM_STEP_TASKS_PER_NODE="2(x2)",
            SLURMD_NODENAME="b",
        )


def test_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"{address}.*cannot be had"):
            ports.check(address)
    ports.check(address)


JOIN = """
from examples.tensorflow import cluster
from keras_sam import distribute
strategy = cluster.join({kind!r}, {seconds}, {port})
here = strategy.cluster_resolver
me = [here.task_type, here.task_id]
print("JOINED", distribute.on_chief(strategy, lambda: me))
"""


def join(kind="environment", seconds=100, port=0):
    return JOIN.format(kind=kind, seconds=seconds, port=port)


@pytest.mark.parametrize("index", [0, 1])
def test_absent_worker(index):
    tf_config = processes.tf_configs(2)[index]
    absent = json.loads(tf_config)["cluster"]["worker"][1 - index]
    process = processes.start("-c", join(seconds=3), TF_CONFIG=tf_config)
    ((status, output),) = processes.finish([process], 120)
    assert status == 1, output
    error = output.splitlines()[-1]
    assert re.search(rf"TimeoutError: Waited 3 s for .*{absent}", output), error


def test_chief_and_worker():
    addresses = [f"127.0.0.1:{port}" for port in processes.free_ports(2)]
    workers = {"chief": addresses[:1], "worker": addresses[1:]}
    started = [
        processes.start("-c", join(), TF_CONFIG=config(workers, kind))
        for kind in ("chief", "worker")
    ]
    for status, output in processes.finish(started):
        assert status == 0 and "JOINED ['chief', 0]" in output, output


FAIL = """
from examples.tensorflow import cluster
from keras_sam import distribute
strategy = cluster.join("environment", 100, 0)
chief = distribute.is_chief(strategy)
me = "first" if chief else "second"
try:
    distribute.on_chief(strategy, lambda: 1 / 0)
except Exception as error:
    print("TOLD", type(error).__name__, error)
with distribute.writing(strategy, {path!r}) as path:
    open(path, "w").write(me)
try:
    with distribute.writing(strategy, {path!r}) as path:
        if not chief:
            raise OSError("full")
except Exception as error:
    print("WRITTEN", type(error).__name__, error)
"""


def test_failures_are_told(tmp_path):
    path = str(tmp_path / "file")
    started = [
        processes.start("-c", FAIL.format(path=path), TF_CONFIG=tf_config)
        for tf_config in processes.tf_configs(2)
    ]
    (one, first), (two, second) = processes.finish(started)
    assert one == two == 0, first + second
    assert "TOLD ZeroDivisionError" in first, first
    assert "TOLD RuntimeError The first worker has failed: Zero" in second
    # Both wrote, and the second elsewhere.
    assert (tmp_path / "file").read_text() == "first"
    assert re.search("WRITTEN RuntimeError .*elsewhere.*full", first), first
    assert "WRITTEN OSError full" in second, second
    assert os.listdir(tmp_path) == ["file"]


def test_slurm_tasks_join():
    (port,) = processes.free_ports(1)  # And the next, with luck.
    started = [
        processes.start(
            "-c",
            join("slurm", port=port),
            SLURM_PROCID=rank,
            SLURM_STEP_NUM_TASKS="2",
            SLURM_STEP_NODELIST="127.0.0.1",
            SLURM_STEP_TASKS_PER_NODE="2",
            SLURMD_NODENAME="127.0.0.1",
        )
        for rank in "01"
    ]
    for status, output in processes.finish(started):
        assert status == 0 and "JOINED ['worker', 0]" in output, output


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
