"""The device that JAX runs on."""

import jax

VERSION = f"JAX {jax.__version__}"


def gpu():
    """Returns the name of the GPU, or None."""
    (first, *_) = jax.devices()
    return first.device_kind if first.platform == "gpu" else None


def gpu_peak():
    """Returns the largest number of bytes held so far on the GPU."""
    return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
