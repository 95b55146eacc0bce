r"""Starts workers of `examples.train` on this machine, to try them out.

    python -m examples.launch --workers=2 -- --output_dir=runs/two --rho=0.05

The flags after `--` are flags of train.py. This program adds
`--strategy=multi_worker`, or `--strategy=data_parallel` where the environment
variable KERAS_BACKEND is jax. It shows the output of all workers. With `--logs`
it shows the output of the first worker, and keeps the output of the others
there. If a worker fails, the launcher ends the others and exits with the same
status.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from absl import flags

from examples import ports
from examples import usage

FLAGS = flags.FLAGS
flags.DEFINE_integer("workers", 2, "How many to start.", lower_bound=1)
flags.DEFINE_string(
    "logs", None, "Folder for the output of all workers but the first."
)
flags.DEFINE_float(
    "grace",
    15.0,
    "Seconds between asking workers to end and killing them.",
    lower_bound=0.0,
)
flags.DEFINE_string("module", "examples.train", "What each worker runs.")
GROUPS = {"Workers": ("workers", "logs", "grace", "module")}


def _on_jax():
    # Keras itself would take seconds to say.
    return os.environ.get("KERAS_BACKEND") == "jax"


def strategy():
    """Returns the `--strategy` of the workers."""
    return "data_parallel" if _on_jax() else "multi_worker"


def description(addresses, index):
    """Returns the environment variables that tell a worker of the others.

    Args:
        addresses: List of the addresses of all workers.
        index: Which of them this one is.
    """
    if _on_jax():
        return {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(addresses),
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(addresses)),
            "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
            # Otherwise the first process listens to all networks.
            "JAX_COORDINATOR_BIND_ADDRESS": addresses[0],
        }
    config = {
        "cluster": {"worker": addresses},
        "task": {"type": "worker", "index": index},
    }
    return {"TF_CONFIG": json.dumps(config)}


def start(addresses, index, arguments, output):
    """Starts a worker.

    Args:
        addresses, index: As those of `description`.
        arguments: What follows the interpreter on its command line.
        output: Where its output goes, as for `subprocess.Popen`.
    """
    return subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **description(addresses, index)},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        # A Ctrl-C goes to the launcher alone, which passes it on.
        start_new_session=True,
    )


def show(process, prefix):
    """Copies the output of a process, line by line, from a thread."""

    def copy():
        for line in process.stdout:
            sys.stdout.write(prefix + line.decode(errors="replace"))
            sys.stdout.flush()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def wait(processes, grace):
    """Returns an exit status that is not 0 once there is one, else 0.

    At the first failure the others are ended, with so many seconds to do so.
    """
    while None in (statuses := [process.poll() for process in processes]):
        if any(statuses):
            end(processes, grace)
            break
        time.sleep(0.1)
    return next((status for status in statuses if status), 0)


def end(processes, grace):
    """Ends processes: asks, waits for so many seconds, kills.

    Another Ctrl-C or SIGTERM cuts the waiting short.
    """
    try:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + grace
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def launch(count, arguments, logs=None, grace=15.0):
    """Runs so many workers to their end; returns the exit status."""
    addresses = ports.free_addresses(count)
    processes, threads = [], []
    with contextlib.ExitStack() as stack:
        stack.callback(end, processes, grace)
        for index in range(count):
            output = subprocess.PIPE
            if index and logs:
                path = pathlib.Path(logs, f"worker-{index}.txt")
                path.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(path.open("wb"))
            processes.append(start(addresses, index, arguments, output))
            if output is subprocess.PIPE:
                prefix = f"[worker {index}] " if count > 1 else ""
                threads.append(show(processes[-1], prefix))
        status = wait(processes, grace)
        for thread in threads:
            thread.join(10)
    return status


def _stop(number, frame):
    sys.exit(128 + number)


def main(argv):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    arguments = ["-m", FLAGS.module, f"--strategy={strategy()}", *argv[1:]]
    status = launch(FLAGS.workers, arguments, FLAGS.logs, FLAGS.grace)
    # A process that a signal ended has the negative number of the signal.
    sys.exit(128 - status if status < 0 else status)


if __name__ == "__main__":
    usage.run(main, GROUPS, others=True)
