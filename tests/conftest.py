"""In which order tests run, and what is forgotten after each."""

import pytest
from tensorflow.python.framework import ops

# Tests that mostly start processes.
PROCESSES = (
    "workers_test",
    "faults_test",
    "parameter_server_test",
    "launch_test",
    "cluster_test",
    "benchmarks_test",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Makes each file a group of pytest-xdist, and `PROCESSES` one, the first.

    Two of these files at a time have more processes than there are cores, which
    wait for each other. Started last they would be waited for.
    """
    items.sort(key=lambda item: item.path.stem not in PROCESSES)
    for item in items:
        name = item.path.stem
        group = "processes" if name in PROCESSES else name
        item.add_marker(pytest.mark.xdist_group(group))


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
