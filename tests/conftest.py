"""Where and in which order tests run, and what is forgotten after each."""

import gc
import importlib.metadata
import os
import pathlib
import re

import keras
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support import engine
from tests.support import machine

if not engine.JAX:
    import tensorflow as tf
    from tensorflow.python.framework import ops

# Tests that mostly start processes.
PROCESSES = (
    "tests/processes/",
    "tests/both_backends/",
    "tests/examples/benchmarks_test.py",
    "tests/jax/backup_test.py",
    "tests/jax/launch_test.py",
    "tests/jax/processes_test.py",
)
# The folders of the longest files.
LONG = ("tests/training/", "tests/cost/", "tests/contracts/", "tests/examples/")


# On JAX TensorFlow is blocked: files that need it are left out.
collect_ignore = [
    str(file)
    for file in pathlib.Path(__file__).parent.rglob("*_test.py")
    if engine.JAX and re.search("^import tensorflow", file.read_text(), re.M)
]


def version(*packages):
    """Returns the version of the first of some packages that is there."""
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return "unknown"


def pytest_report_header():
    # From their metadata: to import them here takes seconds.
    tensorflow = version("tensorflow-cpu", "tensorflow", "tensorflow-tpu")
    return [
        f"processor: {machine.processor()}, {os.cpu_count()} CPUs",
        f"{keras.backend.backend()} of tensorflow {tensorflow}, "
        f"jax {version('jax')}, keras {version('keras')}",
    ]


def pytest_collection_modifyitems(items):
    """Starts with what takes long: the other process would wait for it."""
    order = (PROCESSES, *LONG)

    def rank(item):
        starts = [item.nodeid.startswith(prefix) for prefix in order]
        return starts.index(True) if True in starts else len(order)

    items.sort(key=rank)


def pytest_collection_finish():
    """Spares Python to look for garbage among all that was imported."""
    gc.collect()
    gc.freeze()


class Files(LoadFileScheduling):
    """Sends all tests of a file to one process, and all of `PROCESSES`.

    Two of these at a time are more processes than cores, which wait for each
    other.
    """

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return "" if file.startswith(PROCESSES) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Files(config, log)


@pytest.fixture(autouse=True)
def forget():
    """Forgets what TensorFlow would keep for ever.

    That is, of each function with a gradient of its own, the gradient and the
    graph that it was traced in. Keras's optimizers trace one, so that every
    trained model would stay, and Python would spend minutes looking for garbage
    among them.
    """
    if engine.JAX:
        yield
        return
    registry = ops.gradient_registry._registry
    before = set(registry)
    yield
    for name in set(registry) - before:
        del registry[name]


@pytest.fixture(autouse=True)
def leave():
    """Checks that a test leaves the strategies that it enters."""
    yield
    if engine.JAX:
        assert keras.distribution.distribution() is None
    else:
        assert not tf.distribute.has_strategy()
