"""Joins several processes for `--strategy=data_parallel`.

JAX takes the addresses as they are. This module checks them first, and its
errors say what is wrong.
"""

import functools
import os

import jax

from examples import ports

# As `keras.distribution.initialize` reads them.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES"
INDEX = "KERAS_DISTRIBUTION_PROCESS_ID"
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


@functools.cache  # JAX joins once in the life of a process.
def join(kind, seconds):
    """Joins the other processes, where the environment names any.

    Args:
        kind: "environment" or "slurm", who says which processes there are.
        seconds: How long to wait for the others.

    Raises:
        ValueError: If the environment does not describe them.
        OSError: If the port of the first process is taken.
        TimeoutError: If other processes do not come in time.
    """
    if kind == "slurm":
        _initialize(seconds, cluster_detection_method="slurm")
    elif any(os.environ.get(name) for name in (ADDRESSES, NUMBER, INDEX)):
        address, number, index = description(os.environ)
        if not index:
            ports.check(address)
        if number > 1:
            print(
                f"Process {index} of {number}; waits for all at {address}",
                flush=True,
            )
        _initialize(
            seconds,
            coordinator_address=address,
            num_processes=number,
            process_id=index,
        )


def _initialize(seconds, **arguments):
    try:
        jax.distributed.initialize(
            initialization_timeout=max(1, int(seconds)), **arguments
        )
    except RuntimeError as error:
        if "DEADLINE_EXCEEDED" not in str(error):
            raise
        raise TimeoutError(
            f"Waited {seconds} s for all processes. {arguments}"
        ) from error
