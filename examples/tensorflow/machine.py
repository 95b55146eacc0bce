"""The machine that TensorFlow runs on: devices, threads, versions."""

import tensorflow as tf

WRITES_TENSORBOARD = True


def versions():
    """Returns the version of the backend."""
    return {"tensorflow": tf.__version__}


def devices():
    """Returns the names of the devices."""
    return [
        tf.config.experimental.get_device_details(device).get(
            "device_name", device.name
        )
        for device in tf.config.list_physical_devices()
    ]


def has_gpu():
    """Whether there is a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def limit_threads(number):
    """Lets operations use so many threads. Call it before any operation."""
    tf.config.threading.set_intra_op_parallelism_threads(number)
    tf.config.threading.set_inter_op_parallelism_threads(number)


def make_deterministic():
    """Lets TensorFlow choose deterministic kernels."""
    tf.config.experimental.enable_op_determinism()
