"""The order of the tests, and what is forgotten after each."""

import pytest
from tensorflow.python.framework import ops

# Those of real processes, which wait a lot, come first, beside others.
FIRST = (
    "workers",
    "launch",
    "faults",
    "parameter_server",
    "examples",
    "distribution",
    "backup",
)


def pytest_collection_modifyitems(items):
    first = [f"{name}_test.py" for name in FIRST]
    items.sort(
        key=lambda item: (
            first.index(item.path.name)
            if item.path.name in first
            else len(first)
        )
    )


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
