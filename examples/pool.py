"""Processes that train one model after the other, for comparisons."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
import threading
from multiprocessing import connection

from absl import flags

from examples import engine
from examples import train

# Calls of a process.
_LIFE = 100
FLAGS = flags.FLAGS
flags.DEFINE_integer(
    "jobs",
    None,
    "Runs at once; default: one a core, or one with a GPU or a strategy.",
    lower_bound=1,
)


def jobs(strategy, most):
    """Returns how many runs there are at once.

    Args:
        strategy: The flag of that name.
        most: How many runs there are.
    """
    alone = engine.machine.has_gpu() or strategy != "none"
    return min(FLAGS.jobs or (1 if alone else os.cpu_count() or 1), most)


def executor(jobs):
    """Returns a pool of so many processes, which share the cores."""
    return concurrent.futures.ProcessPoolExecutor(
        jobs,
        # TensorFlow and JAX do not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=functools.partial(_begin, jobs),
    )


def in_shifts(jobs, function, given):
    """Calls a function in processes; yields (key, its future) as calls end.

    Processes do not live long: what TensorFlow traces around a gradient of its
    own making, such as that of `all_reduce`, it never lets go of. Close the
    generator to cancel the calls that have not begun.

    Args:
        jobs: Int, the number of processes.
        function: A function of one argument.
        given: List of pairs of a key and an argument.
    """
    for first in range(0, len(given), _LIFE * jobs):
        shift = given[first : first + _LIFE * jobs]
        with executor(jobs) as processes:
            try:
                keys = {processes.submit(function, a): key for key, a in shift}
                for future in concurrent.futures.as_completed(keys):
                    yield keys[future], future
            finally:
                processes.shutdown(wait=True, cancel_futures=True)


def run_one(settings):
    """Trains one model; its log goes to a file."""
    folder = pathlib.Path(settings.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log):
        return train.train(settings)


def _begin(jobs):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    engine.machine.limit_threads(max(1, (os.cpu_count() or 1) // jobs))


def _end_with_parent():
    """Leaves no process that trains in a folder which the next may claim."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
