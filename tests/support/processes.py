"""Real processes for the tests: workers of a cluster on this machine.

Nothing here imports TensorFlow, and every wait has an end.
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
TIMEOUT = 420  # Seconds; a machine with other work is slow.


def free_ports(count):
    """Returns so many ports of this machine that nobody listens to."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def tf_configs(count):
    """Returns the TF_CONFIG of each of so many workers."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(count)]
    return [
        json.dumps(
            {
                "cluster": {"worker": workers},
                "task": {"type": "worker", "index": index},
            }
        )
        for index in range(count)
    ]


def start(*arguments, **environment):
    """Starts a Python interpreter with arguments; its output goes to a file."""
    output = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **environment,
        },
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )
    process.output = output
    return process


def finish(processes, seconds=TIMEOUT):
    """Waits for all of them; returns [(exit status, output)].

    What still runs after so many seconds is killed; its status is None.
    """
    end = time.monotonic() + seconds
    finished = []
    try:
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, end - time.monotonic()))
    finally:
        for process in processes:
            status = process.poll()
            process.kill()
            process.wait()
            process.output.seek(0)
            finished.append((status, process.output.read()))
            process.output.close()
    return finished


def results(processes, seconds=TIMEOUT):
    """Returns what each process said with `say`; all must succeed."""
    found = []
    for status, output in finish(processes, seconds):
        assert status == 0, output
        (line,) = [x for x in output.splitlines() if x.startswith("RESULT ")]
        found.append(json.loads(line.removeprefix("RESULT ")))
    return found


def say(result):
    """Hands JSON to `results`, from within a process."""
    print("\nRESULT", json.dumps(result), flush=True)
