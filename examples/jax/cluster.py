"""Joins several processes for `--strategy=data_parallel`.

JAX takes the addresses as they are. This module checks them first, and its
errors say what is wrong.
"""

import contextlib
import functools
import os
import sys
import threading

import jax

from examples import ports

# As `keras.distribution.initialize` reads them.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"
# As JAX reads them in a job step of Slurm.
SLURM = (
    "SLURM_JOB_ID",
    "SLURM_STEP_NODELIST",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
)
_EXAMPLE = f"{ADDRESSES}=host-0:2222 {NUMBER}=2 {INDEX}=0"


def description(environment):
    """Returns (address of the first process, number of processes, index).

    Args:
        environment: Mapping, as `os.environ`.

    Raises:
        ValueError: If the variables do not describe a process of several.
    """
    given = {name: environment.get(name) for name in (ADDRESSES, NUMBER, INDEX)}
    address = (given[ADDRESSES] or "").partition(",")[0]
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _wrong(ADDRESSES, "begin with an address, host:port", given)
    number, index = given[NUMBER] or "", given[INDEX] or ""
    if not number.isdigit() or not int(number):
        raise _wrong(NUMBER, "be the number of processes", given)
    if not index.isdigit() or int(index) >= int(number):
        raise _wrong(INDEX, f"be a number from 0 to {int(number) - 1}", given)
    return address, int(number), int(index)


def _wrong(name, what, given):
    return ValueError(
        f"{name} must {what}, for example {_EXAMPLE}. Received: {given}"
    )


def slurm(environment):
    """Returns who this task of a Slurm job step is, in words.

    JAX itself finds the other tasks. The first node of the step has the first
    process, at a port that depends on the number of the job, or at the port
    JAX_COORDINATOR_PORT. JAX 0.7.0 does not read this variable; 0.10.2 does.

    Args:
        environment: Mapping, as `os.environ`.

    Raises:
        ValueError: If the variables do not describe a task.
    """
    given = {name: environment.get(name) for name in SLURM}
    if None in given.values():
        raise ValueError(
            "--cluster=slurm needs the variables that `srun` sets for each "
            f"task. Received: {given}"
        )
    _, nodes, number, index, _ = given.values()
    return f"task {index} of {number}, on the nodes {nodes}"


@functools.cache  # JAX joins once in the life of a process.
def join(kind, seconds):
    """Joins the other processes, where the environment names any.

    If they do not come in time, the process ends with the status 1.

    Args:
        kind: "environment" or "slurm", who says which processes there are.
        seconds: How long to wait for the others.

    Raises:
        ValueError: If the environment does not describe them.
        OSError: If the port of the first process is taken.
    """
    if kind == "slurm":
        who = slurm(os.environ)
        print(f"This is {who}", flush=True)
        with _limit(seconds, who):
            _initialize(2 * seconds + 60, cluster_detection_method="slurm")
    elif any(os.environ.get(name) for name in (ADDRESSES, NUMBER, INDEX)):
        address, number, index = description(os.environ)
        if not index:
            ports.check(address)
        who = f"process {index} of {number}, all of which meet at {address}"
        print(f"This is {who}", flush=True)
        with _limit(seconds, who):
            _initialize(
                2 * seconds + 60,
                coordinator_address=address,
                num_processes=number,
                process_id=index,
            )


def _initialize(seconds, **arguments):
    jax.distributed.initialize(
        initialization_timeout=max(1, int(seconds)), **arguments
    )


@contextlib.contextmanager
def _limit(seconds, who):
    """Ends the process after some time. JAX would abort without a reason."""

    def end():
        print(
            f"TimeoutError: Waited {seconds} s for the others. This is {who}",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
