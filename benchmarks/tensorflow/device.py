"""The device that TensorFlow runs on."""

import tensorflow as tf

VERSION = f"TensorFlow {tf.__version__}"


def gpu():
    """Returns the name of the GPU, or None."""
    for device in tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(device)["device_name"]
    return None


def gpu_peak():
    """Returns the largest number of bytes held so far on the GPU."""
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]
