"""What is forgotten after each test."""

import pytest
from tensorflow.python.framework import ops


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
