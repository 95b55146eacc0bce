"""Real processes for the tests: workers of a cluster on this machine.

This module does not import TensorFlow. Every wait has a timeout.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
TIMEOUT = 420  # Seconds; a machine with other work is slow.


def free_ports(count):
    """Returns `count` ports of this machine that no process listens to."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def tf_configs(count):
    """Returns the TF_CONFIG of each of `count` workers."""
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


def _environment():
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def start(*arguments, **environment):
    """Starts a Python interpreter with arguments; its output goes to a file.

    An interpreter for code, `-c`, is forked from a process that has imported
    TensorFlow: the import takes longer than most tests. All other interpreters
    are new processes.
    """
    output = tempfile.NamedTemporaryFile("w+")
    environment = {**_environment(), **environment}
    if arguments[0] == "-c":
        (_, code) = arguments
        process = Forked(code, environment, output.name)
    else:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    process.output = output
    return process


class Forked:
    """A process of `forks`, with the methods of `Popen` that are used here."""

    def __init__(self, code, environment, output):
        self.pid = _ask([code, environment, output])
        self._status = None

    def poll(self):
        if self._status is None:
            self._status = _ask(self.pid)
        return self._status

    def wait(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("forked", timeout)
            time.sleep(0.02)
        return self._status

    def kill(self):
        # Until the status is read, no other process can have the same number.
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


@functools.cache
def _server():
    """Starts the process that forks the others, once for this process."""
    server = subprocess.Popen(
        [sys.executable, "-c", FORKS],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(server.communicate)  # Ends it, and waits.
    return server


def _ask(request):
    """Returns the answer of `forks` to a request."""
    server = _server()
    server.stdin.write(json.dumps(request).encode() + b"\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


FORKS = f"""
import sys
from {__name__} import forks
code = forks()
if code is None:
    sys.exit()
exec(code)
"""
# Modules that take long to import. Only OpenBLAS starts threads, and it can
# handle a fork.
IMPORTED = ("tensorflow", "keras", "keras_sam", "pytest")


def forks():
    """Forks a process for each piece of code that stdin asks for.

    A request is [code, environment, output] or the number of a process. The
    answer to the first is the number of the new process. The answer to the
    second is the exit status of the process, null while it runs.

    Returns:
        The code of the new process, in each new process, which then ends as a
        program does. None at the end of stdin.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    # Unbuffered, or a new process would inherit requests to the old one.
    with open(0, "rb", buffering=0, closefd=False) as requests:
        for request in map(json.loads, requests):
            if isinstance(request, list):
                answer = os.fork()
                if not answer:
                    break
            else:
                pid, status = os.waitpid(request, os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            os.write(1, json.dumps(answer).encode() + b"\n")
        else:
            return None
    code, environment, output = request
    os.environ.clear()
    os.environ.update(environment)
    # Without new seeds all processes would draw the same numbers.
    random.seed()
    sys.modules["numpy"].random.seed()
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(output, os.O_WRONLY | os.O_APPEND)
    for new, old in ((null, 0), (file, 1), (file, 2)):
        os.dup2(new, old)
    return code


def finish(processes, seconds=TIMEOUT):
    """Waits for all processes; returns [(exit status, output)].

    A process that still runs at the timeout is killed. Its status is None.
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
    """Returns the JSON that each process said with `say`; all must succeed."""
    found = []
    for status, output in finish(processes, seconds):
        assert status == 0, output
        (line,) = [x for x in output.splitlines() if x.startswith("RESULT ")]
        found.append(json.loads(line.removeprefix("RESULT ")))
    return found


def say(result):
    """Hands JSON to `results`, from within a process."""
    print("\nRESULT", json.dumps(result), flush=True)
