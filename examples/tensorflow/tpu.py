"""Connects to a TPU, or says within seconds why that fails."""

import contextlib
import socket

import tensorflow as tf

TIMEOUT = 10  # Seconds that a name or an address is waited for.


def strategy(tpu):
    """Returns the TPUStrategy of a TPU, after starting the TPU anew.

    Args:
        tpu: "local" for the TPU of this machine, a Cloud TPU VM. Otherwise its
            address, "grpc://host:port", or its name, "name" or "zone/name",
            which the Cloud TPU API resolves.

    Raises:
        RuntimeError: If there is no such TPU.
    """
    try:
        resolver = _resolver(tpu)
        if tpu != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ImportError, OSError, ValueError, tf.errors.OpError) as error:
        raise _failure(tpu, error) from error
    return tf.distribute.TPUStrategy(resolver)


def _resolver(tpu):
    """Returns the resolver of a TPU that is there, as far as can be seen."""
    if tpu == "local":
        if not tf.config.list_physical_devices("TPU_SYSTEM"):
            raise ImportError(
                "this TensorFlow is not built for TPUs: install tensorflow-tpu "
                "in its place"
            )
        return tf.distribute.cluster_resolver.TPUClusterResolver("local")
    zone, name = None, tpu
    if "://" not in tpu and "/" in tpu:
        zone, name = tpu.split("/", 1)
    with _time_limit():
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name, zone)
        try:
            workers = resolver.cluster_spec().job_tasks("worker")
        except RuntimeError as error:  # Also where a package is missing.
            raise ValueError(error) from error
    for worker in workers:
        host, _, port = worker.rpartition(":")
        socket.create_connection((host, int(port)), TIMEOUT).close()
    return resolver


@contextlib.contextmanager
def _time_limit():
    """Bounds the look-ups of TensorFlow, which have no limit of their own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _failure(tpu, error):
    return RuntimeError(
        "--tpu must be a TPU that answers: 'local' on a Cloud TPU VM (after "
        "export TPU_SKIP_MDS_QUERY=0), a name or an address "
        f"(grpc://host:port). Received: {tpu!r}, which failed with "
        f"{type(error).__name__}: {error}"
    )
