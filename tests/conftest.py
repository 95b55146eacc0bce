"""In which order tests run, and what is forgotten after each."""

import pytest
from tensorflow.python.framework import ops
from xdist.scheduler import LoadFileScheduling

# Tests that mostly start processes.
PROCESSES = (
    "tests/processes/",
    "tests/examples/benchmarks_test.py",
)


def pytest_collection_modifyitems(items):
    """Starts with `PROCESSES`: last, they would be waited for."""
    items.sort(key=lambda item: not item.nodeid.startswith(PROCESSES))


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
    registry = ops.gradient_registry._registry
    before = set(registry)
    yield
    for name in set(registry) - before:
        del registry[name]
