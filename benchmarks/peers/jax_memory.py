"""The memory of the device that JAX computes on."""

import jax


def peak():
    """Returns the most bytes that the device has held so far, or None."""
    # CPUs do not say.
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("peak_bytes_in_use")
