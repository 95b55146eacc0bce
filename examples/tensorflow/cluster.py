"""Joins a cluster of workers for `--strategy=multi_worker`.

TensorFlow does not check TF_CONFIG. It dies if a port is taken, and it waits
for workers that never come. This module raises an error instead, in time, and
the error says what is wrong.
"""

import contextlib
import faulthandler
import functools
import json
import os
import re
import socket
import time

import tensorflow as tf
from tensorflow.python.distribute import multi_worker_util
from tensorflow.python.eager import context

from examples import ports

_EXAMPLE = (
    '{"cluster": {"worker": ["host-0:2222", "host-1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
_TYPES = ("chief", "worker")


def tf_config(text):
    """Returns (cluster, task type, task index) of the content of TF_CONFIG.

    Raises:
        ValueError: If it is not a cluster of workers that this one belongs to.
    """
    try:
        config = json.loads(text or "null")
    except json.JSONDecodeError as error:
        _check(False, f"be JSON ({error})", text)
    _check(isinstance(config, dict), "be set to a JSON object", text)
    workers, task = config.get("cluster"), config.get("task")
    _check(isinstance(workers, dict) and workers, "hold a 'cluster'", config)
    _check(isinstance(task, dict), "hold a 'task'", config)
    _check_cluster(workers)
    kind, index = task.get("type"), task.get("index")
    _check(
        isinstance(kind, str) and kind in workers,
        f"have a task of a type in its cluster, {sorted(workers)}",
        kind,
    )
    _check(
        isinstance(index, int)
        and not isinstance(index, bool)
        and 0 <= index < len(workers[kind]),
        f"have a task with an index from 0 to {len(workers[kind]) - 1}",
        index,
    )
    return workers, kind, index


def _check(holds, expected, received):
    if not holds:
        raise ValueError(
            f"TF_CONFIG must {expected}, for example {_EXAMPLE}. Received: "
            f"{received!r}"
        )


def _check_cluster(workers):
    _check(
        set(workers) <= set(_TYPES),
        "hold tasks of the types 'chief' and 'worker' only (there is neither "
        "a parameter server nor an evaluator; each run tests itself)",
        sorted(workers),
    )
    for addresses in workers.values():
        _check(
            isinstance(addresses, list)
            and addresses
            and all(isinstance(address, str) for address in addresses),
            "hold a list of addresses for each type of task",
            addresses,
        )
    everyone = [a for addresses in workers.values() for a in addresses]
    for address in everyone:
        found = re.fullmatch(r"[^\s/]+:([0-9]{1,5})", address)
        _check(
            found and 0 < int(found[1]) < 65536,
            "give each task an address with a port, host:port",
            address,
        )
    _check(
        len(set(everyone)) == len(everyone),
        "give each task an address of its own",
        everyone,
    )
    _check(
        len(workers.get("chief", ())) <= 1,
        "hold at most one chief",
        workers.get("chief"),
    )


def slurm_config(port):
    """Returns the TF_CONFIG of this task of a Slurm job step.

    TensorFlow's resolver reads the environment. It is not used beyond that: it
    fails without GPUs, and sorts hosts by name where Slurm does by number.

    Args:
        port: Port of the first task of a host; others take those after it.
    """
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=0, gpus_per_task=0, auto_set_gpu=False
    )
    workers = [
        (host, f"{host}:{port + number}")
        for host, count in resolver._task_configuration.items()
        for number in range(count)
    ]
    index = int(os.environ["SLURM_PROCID"])
    node = os.environ.get("SLURMD_NODENAME", workers[index][0])
    if node != workers[index][0]:
        raise ValueError(
            "Slurm must fill one node after the other, as `srun "
            f"--distribution=block` does. Received: task {index} on {node}, "
            f"not on {workers[index][0]}"
        )
    return json.dumps(
        {
            "cluster": {"worker": [address for _, address in workers]},
            "task": {"type": "worker", "index": index},
        }
    )


@functools.cache  # TensorFlow joins once in the life of a process.
def join(kind, seconds, port):
    """Returns the strategy of this worker, once all others are there.

    Args:
        kind: "environment", that is TF_CONFIG, or "slurm": who says which
            workers there are.
        seconds: How long to wait for the others.
        port: See `slurm_config`.

    Raises:
        ValueError: If the description of the cluster is wrong.
        OSError: If the port of this worker is taken.
        TimeoutError: If other workers do not come in time.
    """
    if kind == "slurm":
        # Which the strategy reads; with it, it takes all GPUs that it sees,
        # as it should: Slurm shows each task its own.
        os.environ["TF_CONFIG"] = slurm_config(port)
    workers, job, index = tf_config(os.environ.get("TF_CONFIG"))
    ports.check(workers[job][index])
    others = {
        f"{name} {number}": address
        for name in _TYPES
        for number, address in enumerate(workers.get(name, ()))
    }
    leader = next(iter(others.values()))
    others.pop(f"{job} {index}")
    if others:
        print(f"Waiting for {len(others)} workers: {others}", flush=True)
        _limit_waiting(workers, seconds)
    # In case that TensorFlow waits on, when Python cannot run.
    faulthandler.dump_traceback_later(2 * seconds + 60, exit=True)
    try:
        if workers[job][index] == leader:
            # TensorFlow's own wait has no limit here.
            await_ports(others, seconds)
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.DeadlineExceededError as error:
        raise TimeoutError(
            f"Waited {seconds} s for the first worker at {leader}, and for "
            f"it to find the others. All: {others}"
        ) from error
    finally:
        faulthandler.cancel_dump_traceback_later()


def await_ports(addresses, seconds):
    """Waits until somebody listens at each of some {name: address}."""
    deadline = time.monotonic() + seconds
    missing = dict(addresses)
    while missing:
        for name, address in list(missing.items()):
            host, _, port = address.rpartition(":")
            with contextlib.suppress(OSError):
                socket.create_connection((host.strip("[]"), port), 1).close()
                del missing[name]
        if missing and time.monotonic() > deadline:
            raise TimeoutError(
                f"Waited {seconds} s for workers that have not come: {missing}"
            )
        time.sleep(0.1)


def _limit_waiting(workers, seconds):
    """Sets the times for which TensorFlow waits for other workers."""
    milliseconds = int(1000 * seconds)
    # The public way to the message, whose module moves between versions.
    config = tf.compat.v1.ConfigProto().experimental.coordination_config
    for name, addresses in workers.items():
        config.coordinated_job_list.add(name=name, num_tasks=len(addresses))
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=multi_worker_util.coordination_leader(
            tf.train.ClusterSpec(workers)
        ),
        coordinated_jobs=list(config.coordinated_job_list),
        cluster_register_timeout_in_ms=milliseconds,
        # The first worker stays until the others are done with it.
        shutdown_barrier_timeout_in_ms=min(milliseconds, 60_000),
    )
