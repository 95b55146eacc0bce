"""Processes that train one model after the other, for comparisons."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
import threading
from multiprocessing import connection

import tensorflow as tf

from examples import train


def executor(jobs):
    """Returns a pool of so many processes, which share the cores."""
    return concurrent.futures.ProcessPoolExecutor(
        jobs,
        # TensorFlow does not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=functools.partial(_begin, jobs),
    )


def run_one(settings):
    """Trains one model; its log goes to a file."""
    folder = pathlib.Path(settings.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log):
        return train.train(settings)


def _begin(jobs):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threads = max(1, (os.cpu_count() or 1) // jobs)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _end_with_parent():
    """Leaves no process that trains in a folder which the next may claim."""
    connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
