"""The machine that JAX runs on: devices, threads, versions."""

import importlib.metadata
import os

import jax

# Keras writes logs for TensorBoard by way of TensorFlow.
WRITES_TENSORBOARD = False


def versions():
    """Returns the versions of the backend."""
    return {
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
    }


def devices():
    """Returns the names of the devices, of all processes."""
    return [device.device_kind for device in jax.devices()]


def has_gpu():
    """Whether there is a GPU."""
    return any(device.platform == "gpu" for device in jax.devices())


def limit_threads(number):
    """Lets operations use so many threads. Call it before any operation."""
    os.environ["NPROC"] = str(number)  # XLA reads it.


def make_deterministic():
    """Lets XLA choose deterministic kernels. Call it before any operation."""
    flag = "--xla_gpu_deterministic_ops=true"
    given = os.environ.get("XLA_FLAGS", "")
    if flag not in given:
        os.environ["XLA_FLAGS"] = f"{given} {flag}".strip()
